"""Texts in slots: each is that of `generate`, whoever stands beside it."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.data.vocabulary import CharacterVocabulary
from zoo.decoding.blocks import PREFILL_STEPS, generate_tokens
from zoo.decoding.settings import GenerationSettings
from zoo.decoding.slots import Slots
from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig
from zoo.special_tokens import SPECIAL_TOKENS, START_ID

CHARACTERS = CharacterVocabulary([*SPECIAL_TOKENS, *"abcdefgh "])
NUM_TOKENS = 24


@functools.cache
def lm():
    model = RecurrentLM(
        RecurrentLMConfig(embedding_size=6, hidden_sizes=(7,), learn_initial_state=True),
        len(CHARACTERS),
    )
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.ones((1, 1), jnp.int32))["params"]
    draw = np.random.default_rng(1).normal
    params = jax.tree.map(lambda leaf: jnp.asarray(draw(size=leaf.shape), jnp.float32), shapes)
    return model, params


def inputs_of(length):
    letters = np.random.default_rng(length).integers(3, len(CHARACTERS), length)
    return [START_ID, *letters.tolist()]


# Inputs, settings and row of several texts; some prompts take several pieces to read.
TEXTS = [
    (inputs_of(0), GenerationSettings(seed=1), 0),
    (inputs_of(5), GenerationSettings(seed=1, temperature=0.0), 1),
    (inputs_of(2 * PREFILL_STEPS + 3), GenerationSettings(seed=2**32 - 1, top_k=3), 2),
    (inputs_of(PREFILL_STEPS), GenerationSettings(seed=3, temperature=0.6, top_p=0.8), 0),
    (inputs_of(9), GenerationSettings(seed=4, allow_unknown=True), 3),
]


@functools.cache
def expected(number):
    """What `generate` draws for one of the texts."""
    inputs, settings, row = TEXTS[number]
    blocks = generate_tokens(*lm(), [inputs] * 4, settings)
    return next(blocks)[row, :NUM_TOKENS].tolist()


def finish(slots, slot, drawn):
    """Advances until a text has all its tokens; collects the tokens of all."""
    while len(drawn.setdefault(slot, [])) < NUM_TOKENS:
        for other, tokens in slots.advance().items():
            drawn.setdefault(other, []).extend(tokens)
    return drawn[slot][:NUM_TOKENS]


def test_a_text_is_that_of_generate_whatever_stands_beside_it_and_whenever_it_begins():
    slots, drawn = Slots(*lm(), num_slots=3), {}
    held = {slots.add(*TEXTS[number]): number for number in (2, 0)}
    waiting, found = [1, 3, 4], {}
    while held:
        slot, number = next(iter(held.items()))
        found[number] = finish(slots, slot, drawn)
        slots.free(slot)
        del held[slot], drawn[slot]
        while waiting and slots.num_free:  # the text that is not finished goes on beside them
            number = waiting.pop(0)
            held[slots.add(*TEXTS[number])] = number
    assert found == {number: expected(number) for number in range(len(TEXTS))}


def test_a_slot_that_was_left_in_the_middle_has_forgotten_its_text():
    slots = Slots(*lm(), num_slots=1)
    for number in (2, 1):
        slot = slots.add(*TEXTS[number])
        slots.advance()  # of the first one only a part of the prompt is read
        slots.free(slot)
    assert finish(slots, slots.add(*TEXTS[3]), {}) == expected(3)


@dataclasses.dataclass(frozen=True)
class CountingModel:
    """Notes the number of steps of each call that is traced."""

    model: Any
    traces: list[int] = dataclasses.field(default_factory=list, hash=False, compare=False)

    @property
    def vocabulary_size(self):
        return self.model.vocabulary_size

    def zero_carry(self, batch_size):
        return self.model.zero_carry(batch_size)

    def apply(self, variables, tokens, *arguments, **options):
        self.traces.append(tokens.shape[1])
        return self.model.apply(variables, tokens, *arguments, **options)


def test_no_text_compiles_anything_again():
    model, params = lm()
    counting = CountingModel(model)
    slots = Slots(counting, params, num_slots=2)
    slots.add(*TEXTS[4])
    slots.advance()
    assert sorted(set(counting.traces)) == [1, PREFILL_STEPS]
    num_traces = len(counting.traces)
    for number in (3, 0):
        slots.free(slots.add(*TEXTS[number]))
        slots.add(*TEXTS[number])
        slots.advance()
        slots.clear()
    assert len(counting.traces) == num_traces


def test_a_full_house_takes_nobody():
    slots = Slots(*lm(), num_slots=1)
    slots.add(*TEXTS[0])
    with pytest.raises(IndexError):
        slots.add(*TEXTS[1])
