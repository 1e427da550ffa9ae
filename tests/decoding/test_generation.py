import dataclasses
import functools
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.data.vocabulary import CharacterVocabulary, WordVocabulary
from zoo.decoding import generation
from zoo.decoding.blocks import BLOCK_STEPS, PREFILL_STEPS, generate_tokens
from zoo.decoding.generation import generate, stream_generate
from zoo.decoding.sampling import sample
from zoo.decoding.settings import GenerationSettings
from zoo.decoding.text import PromptWarning, prompt_inputs
from zoo.errors import UserError
from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig
from zoo.models.trained import TrainedLanguageModel
from zoo.special_tokens import END_ID, SPECIAL_TOKENS, START_ID, UNKNOWN_ID

ALPHABET = "abcdefgh "
CHARACTERS = CharacterVocabulary([*SPECIAL_TOKENS, *ALPHABET])
WORDS = WordVocabulary([*SPECIAL_TOKENS, *(f"w{i}" for i in range(9))])


@functools.cache
def checkpoint(cell="lstm", vocabulary=CHARACTERS, **settings):
    """A small model whose parameters, the initial state among them, are random and far from 0."""
    settings = {"embedding_size": 6, "hidden_sizes": (7, 5), **settings}
    config = RecurrentLMConfig(cell=cell, learn_initial_state=True, **settings)
    model = RecurrentLM(config, len(vocabulary))
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.ones((1, 1), jnp.int32))["params"]
    generator = np.random.default_rng(1)
    params = jax.tree.map(
        lambda shape: jnp.asarray(generator.normal(size=shape.shape), jnp.float32), shapes
    )
    return TrainedLanguageModel(model=model, params=params, vocabulary=vocabulary)


@functools.cache
def jitted_apply(model):
    return jax.jit(model.apply)


def random_text(seed, length):
    letters = np.random.default_rng(seed).choice([*ALPHABET, "\n"], length)
    return "".join(letters.tolist())


def tokens_one_at_a_time(prompt, row, settings, num_tokens, **names):
    """What row `row` must draw, by a plain loop that feeds one token a call."""
    lm = checkpoint(**names)
    apply = jitted_apply(lm.model)
    key = jax.random.fold_in(jax.random.key(settings.seed), row)
    carry = None
    for token in prompt_inputs(lm.vocabulary, prompt):
        output = apply({"params": lm.params}, jnp.array([[token]]), carry)
        carry = output.carry
    drawn = []
    for index in range(num_tokens):
        options = {"temperature": settings.temperature, "top_k": settings.top_k}
        token = sample(jax.random.fold_in(key, index), output.logits[0, 0], **options)
        drawn.append(int(token))
        next_input = START_ID if drawn[-1] == END_ID else drawn[-1]
        output = apply({"params": lm.params}, jnp.array([[next_input]]), carry)
        carry = output.carry
    return drawn


def first_tokens(prompts, settings, num_tokens, block_steps=BLOCK_STEPS):
    lm = checkpoint()
    inputs = [prompt_inputs(lm.vocabulary, prompt) for prompt in prompts]
    blocks = generate_tokens(lm.model, lm.params, inputs, settings, block_steps=block_steps)
    num_blocks = -(-num_tokens // block_steps)
    return np.concatenate([next(blocks) for _ in range(num_blocks)], axis=1)[:, :num_tokens]


@pytest.mark.parametrize("settings", [{}, {"temperature": 0.0}, {"temperature": 1.7, "top_k": 4}])
def test_every_row_draws_what_a_loop_over_single_tokens_draws(settings):
    settings = GenerationSettings(seed=11, **settings)
    prompts = ["abc\nhead", "", "\n", random_text(0, 70)]
    drawn = first_tokens(prompts, settings, 40)
    for row, prompt in enumerate(prompts):
        assert drawn[row].tolist() == tokens_one_at_a_time(prompt, row, settings, 40)
    assert START_ID not in drawn
    assert UNKNOWN_ID not in drawn


def test_many_prompts_go_in_groups_and_draw_what_they_draw_in_one(monkeypatch):
    prompts = [random_text(row, row) for row in range(9)]
    monkeypatch.setattr(generation, "GROUP_ROWS", 100)
    together = generate(checkpoint(), prompts, seed=4, max_tokens=20)
    monkeypatch.setattr(generation, "GROUP_ROWS", 2)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    assert generate(checkpoint(), prompts, seed=4, max_tokens=20) == together


def test_sentence_ends_are_drawn_and_fed_back_as_starts():
    drawn = first_tokens([""], GenerationSettings(), 40)
    assert END_ID in drawn  # so that the comparison with the loop above has it too


@pytest.mark.parametrize("cell", ["elman", "gru"])
def test_text_is_that_of_the_loop_for_other_cells(cell):
    settings = GenerationSettings(seed=3, max_tokens=20)
    drawn = tokens_one_at_a_time("bad", 0, settings, 20, cell=cell)
    text = generate(checkpoint(cell), "bad", seed=3, max_tokens=20)
    assert text == "bad" + CHARACTERS.decode(drawn)


def test_text_is_that_of_the_loop_for_residual_blocks():
    block = {"block": "residual", "convolution_width": 4, "hidden_sizes": (6, 6)}
    drawn = tokens_one_at_a_time("bad", 0, GenerationSettings(seed=3), 20, **block)
    text = generate(checkpoint(**block), "bad", seed=3, max_tokens=20)
    assert text == "bad" + CHARACTERS.decode(drawn)


@pytest.mark.parametrize("block_steps", [1, 5, 64])
def test_the_size_of_a_block_changes_nothing(block_steps):
    settings = GenerationSettings(seed=2)
    expected = first_tokens(["a", "bed"], settings, 50)
    drawn = first_tokens(["a", "bed"], settings, 50, block_steps=block_steps)
    np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize(
    "length", [0, 1, PREFILL_STEPS - 1, PREFILL_STEPS, PREFILL_STEPS + 1, 2 * PREFILL_STEPS + 3]
)
def test_batch_mates_change_nothing(length):
    prompt = random_text(length, length)
    options = {"max_tokens": 50, "seed": 4}
    alone = generate(checkpoint(), prompt, **options)
    for mates in (["", "a"], [random_text(7, 200), "bed\n"]):
        assert generate(checkpoint(), [prompt, *mates], **options)[0] == alone
    long_before = generate(checkpoint(), [random_text(8, 150), prompt], **options)
    short_before = generate(checkpoint(), ["", prompt, "c"], **options)
    assert long_before[1] == short_before[1]


def test_the_same_seed_gives_the_same_text_and_another_row_or_seed_another():
    first = generate(checkpoint(), ["a", "a"], seed=5)
    assert generate(checkpoint(), ["a", "a"], seed=5) == first
    assert first[0] != first[1]
    assert generate(checkpoint(), "a", seed=6) != first[0]
    assert generate(checkpoint(), "a", seed=2**32 - 1).startswith("a")


def test_greedy_rows_agree():
    first, second = generate(checkpoint(), ["ab", "ab"], temperature=0.0, max_tokens=30)
    assert first == second


def test_a_list_gives_a_list_and_no_prompts_are_an_error():
    assert generate(checkpoint(), ["ab"], seed=1) == [generate(checkpoint(), "ab", seed=1)]
    with pytest.raises(UserError, match="list of prompts is empty"):
        generate(checkpoint(), [])


@pytest.mark.parametrize("max_tokens", [1, BLOCK_STEPS, BLOCK_STEPS + 1])
def test_max_tokens_are_drawn_and_shorter_texts_are_their_beginning(max_tokens):
    text = generate(checkpoint(), "ab", max_tokens=max_tokens)
    assert len(text) == 2 + max_tokens  # a character a token, the newline of </s> included
    assert generate(checkpoint(), "ab", max_tokens=100).startswith(text)


def test_stop_at_the_end_is_the_text_before_the_first_sentence_end():
    longer = generate(checkpoint(), "ab", max_tokens=200, seed=8)
    assert "\n" in longer
    assert generate(checkpoint(), "ab", max_tokens=200, seed=8, stop="end") == longer.split("\n")[0]


def test_a_word_model_stops_at_the_end_unless_told_otherwise():
    lm = checkpoint(vocabulary=WORDS)
    sentence = generate(lm, "w1 w2", seed=1, max_tokens=100)
    lines = generate(lm, "w1 w2", seed=1, max_tokens=100, stop="length")
    assert "\n" in lines
    assert lines.split("\n")[0] == sentence
    assert sentence.startswith("w1 w2 w")


def test_unknown_is_drawn_only_where_allowed():
    lm = checkpoint()
    bias = lm.params["output_bias"].at[UNKNOWN_ID].add(20.0)
    unknown = TrainedLanguageModel(
        model=lm.model, params={**lm.params, "output_bias": bias}, vocabulary=lm.vocabulary
    )
    assert "<unk>" not in generate(unknown, "ab")
    assert generate(unknown, "ab", max_tokens=2, allow_unknown=True) == "ab<unk><unk>"


def test_an_unknown_character_is_told_and_kept_in_the_text():
    with pytest.warns(PromptWarning, match="'é'"):
        text = generate(checkpoint(), "bé", max_tokens=5)
    assert text.startswith("bé")
    assert len(text) == 7


def test_streamed_pieces_join_to_the_text_and_come_block_by_block():
    settings = GenerationSettings(max_tokens=100, seed=9, top_p=0.9)
    pieces = list(stream_generate(checkpoint(), "he\nfa", settings))
    assert pieces[0] == "he\nfa"
    assert [len(piece) for piece in pieces[1:]] == [32, 32, 32, 4]
    expected = generate(checkpoint(), "he\nfa", **dataclasses.asdict(settings))
    assert "".join(pieces) == expected


def test_a_stream_tells_of_an_unknown_character_before_the_text():
    pieces = stream_generate(checkpoint(), "bé", GenerationSettings(max_tokens=5))
    with pytest.warns(PromptWarning, match="'é'"):
        assert next(pieces) == "bé"
    assert len("".join(pieces)) == 5  # and says nothing any more


def test_a_stream_makes_only_what_is_asked_for():
    pieces = stream_generate(checkpoint(), "a", GenerationSettings(max_tokens=10**9))
    assert next(pieces) == "a"
    assert len(next(pieces)) == BLOCK_STEPS


@dataclasses.dataclass(frozen=True)
class CountingModel:
    """A model that writes down each of its traces."""

    model: Any
    traces: list = dataclasses.field(default_factory=list, compare=False)

    @property
    def vocabulary_size(self):
        return self.model.vocabulary_size

    def zero_carry(self, batch_size):
        return self.model.zero_carry(batch_size)

    def apply(self, variables, tokens, *args, **options):
        self.traces.append(tokens.shape)
        return self.model.apply(variables, tokens, *args, **options)


def test_a_second_call_compiles_nothing_whatever_the_prompt_and_the_settings():
    lm = checkpoint()
    model = CountingModel(lm.model)
    counted = TrainedLanguageModel(model=model, params=lm.params, vocabulary=lm.vocabulary)
    generate(counted, "ab", max_tokens=5)
    assert set(model.traces) == {(1, PREFILL_STEPS), (1, 1)}
    num_traces = len(model.traces)
    generate(counted, random_text(1, 300), max_tokens=90, temperature=0.5, top_k=3, seed=4)
    generate(counted, "", temperature=0, top_p=0.5, stop="end", allow_unknown=True)
    generate(counted, "ab", temperature=1, top_k=10**12)
    same_again = TrainedLanguageModel(
        model=CountingModel(lm.model, model.traces), params=lm.params, vocabulary=lm.vocabulary
    )
    generate(same_again, "a")
    assert len(model.traces) == num_traces


def test_nothing_is_told_about_a_known_prompt():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        generate(checkpoint(), "ab\ncd", max_tokens=1)
