"""Generation of many texts side by side in slots, which are reused when texts end.

The state of a recurrent network is small and keeps its size after any number of tokens. So one
compiled program advances S slots, and a slot whose text has ended is given to the next text while
the other slots continue. The number of slots never changes. Each text is drawn with its own key, so
it depends neither on the texts beside it nor on when it was started.
"""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from zoo.decoding.blocks import (
    PREFILL_STEPS,
    DecodingState,
    Draw,
    draw_block,
    make_options,
    read_piece,
    row_key,
)
from zoo.decoding.settings import GenerationSettings
from zoo.fetching import fetch
from zoo.layers.masks import select
from zoo.models.output import LanguageModel
from zoo.special_tokens import END_ID, START_ID
from zoo.types import Params

SLOT_STEPS = 8


class Slots:
    """S slots for texts of one language model. One thread must make all calls.

    Args:
        model: a language model module.
        params: its parameters.
        num_slots: S.
        block_steps: the number of tokens that a text grows by in a call of `advance`; it changes no
            token.

    Example:
        >>> import jax.numpy as jnp
        >>> from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig
        >>> model = RecurrentLM(RecurrentLMConfig(embedding_size=4, hidden_sizes=(4,)), 6)
        >>> params = jax.jit(model.init)(jax.random.key(0), jnp.ones((1, 1), int))["params"]
        >>> slots = Slots(model, params, num_slots=2, block_steps=8)
        >>> slot = slots.add([START_ID, 3], GenerationSettings(seed=1))
        >>> slots.num_free, {slot: len(tokens) for slot, tokens in slots.advance().items()}
        (1, {0: 8})
        >>> slots.free(slot), slots.num_free
        (None, 2)
    """

    def __init__(
        self, model: LanguageModel, params: Params, num_slots: int, block_steps: int = SLOT_STEPS
    ) -> None:
        self._model, self._params, self._block_steps = model, params, block_steps
        self._num_slots = num_slots
        self.clear()

    def clear(self) -> None:
        """Removes all texts."""
        num_slots = self._num_slots
        self._state = DecodingState(
            self._model.zero_carry(num_slots),
            jnp.full(num_slots, START_ID, jnp.int32),
            jnp.ones(num_slots, jnp.bool_),
        )
        options = make_options(GenerationSettings(), self._model.vocabulary_size)
        self._options = {
            name: np.full(num_slots, value, value.dtype) for name, value in options.items()
        }
        self._seeds = np.zeros(num_slots, np.uint32)
        self._rows, self._indices = np.zeros((2, num_slots), np.int32)
        self._free = list(range(num_slots))[::-1]
        self._unread: dict[int, list[int]] = {}  # the rest of each prompt that is being read
        self._drawing: set[int] = set()

    @property
    def num_free(self) -> int:
        """The number of texts that can be added."""
        return len(self._free)

    def add(self, inputs: Sequence[int], settings: GenerationSettings, row: int = 0) -> int:
        """Begins a text in a free slot, and returns the number of the slot.

        Args:
            inputs: the tokens of the prompt, which begin with `<s>`.
            settings: temperature, top_k, top_p, seed and allow_unknown are used. The other settings
                are not: whoever calls `advance` counts the tokens, and calls `free` at the end.
            row: the position of the text among the samples of one request. The random key is made
                from the seed and this number, so the text equals text number `row` of a call of
                `generate` with these settings.

        Raises:
            IndexError: if no slot is free, see `num_free`.
        """
        slot = self._free.pop()
        tokens, fresh = np.array(self._state.tokens), np.array(self._state.fresh)
        tokens[slot], fresh[slot] = inputs[-1], True
        self._state = self._state._replace(tokens=jnp.asarray(tokens), fresh=jnp.asarray(fresh))
        for name, value in make_options(settings, self._model.vocabulary_size).items():
            self._options[name][slot] = value
        self._seeds[slot], self._rows[slot], self._indices[slot] = settings.seed, row, 0
        self._unread[slot] = list(inputs[:-1])
        return slot

    def free(self, slot: int) -> None:
        """Ends the text in a slot, which becomes free for another text."""
        self._unread.pop(slot, None)
        self._drawing.discard(slot)
        self._free.append(slot)

    def advance(self) -> dict[int, list[int]]:
        """Reads a piece of each new prompt, then draws a block for every text that has been read.

        Returns:
            The next tokens of each text, by its slot. A text whose prompt is not read yet has none.
        """
        self._read()
        if not self._drawing:
            return {}
        drawing = np.zeros(self._num_slots, np.bool_)
        drawing[list(self._drawing)] = True
        self._state, drawn = _draw(
            self._model,
            self._params,
            self._state,
            drawing,
            self._seeds,
            self._rows,
            self._indices,
            self._options,
            num_steps=self._block_steps,
        )
        tokens = fetch(drawn)
        self._indices[drawing] += self._block_steps
        return {slot: tokens[slot].tolist() for slot in sorted(self._drawing)}

    def _read(self) -> None:
        """Reads at most PREFILL_STEPS tokens of each new prompt, in one call for all prompts."""
        if any(self._unread.values()):
            piece = np.full((self._num_slots, PREFILL_STEPS), END_ID, np.int32)
            lengths = np.zeros(self._num_slots, np.int32)
            for slot, tokens in self._unread.items():
                lengths[slot] = len(head := tokens[:PREFILL_STEPS])
                piece[slot, : len(head)] = head
                self._unread[slot] = tokens[PREFILL_STEPS:]
            self._state = read_piece(self._model, self._params, self._state, piece, lengths)
        self._drawing |= {slot for slot, tokens in self._unread.items() if not tokens}
        self._unread = {slot: tokens for slot, tokens in self._unread.items() if tokens}


@partial(jax.jit, static_argnames=("model", "num_steps"))
def _draw(
    model: LanguageModel,
    params: Params,
    state: DecodingState,
    drawing: Array,
    seeds: Array,
    rows: Array,
    indices: Array,
    options: dict[str, Array],
    *,
    num_steps: int,
) -> tuple[DecodingState, Array]:
    """Draws a block for the rows marked in drawing [S]; the other rows stay as they are.

    Returns:
        The state after the block, and int32[S, num_steps], the tokens drawn.
    """
    draw = Draw(jax.vmap(row_key)(seeds, rows), indices, options)
    after, drawn = draw_block(model, params, state, draw, num_steps=num_steps)
    return select(drawing, after, state), drawn
