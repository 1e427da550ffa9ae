"""The tokens of a language model's texts, drawn block by block for a batch of prompts.

All tokens of a prompt except the last are read in pieces of PREFILL_STEPS tokens. A jitted scan
then feeds each row its last token, draws the next token, and feeds that token. Blocks of
BLOCK_STEPS tokens come back to the host, so that text can be shown while it is generated. The
shapes never change, so neither the length of a prompt nor max_tokens causes another compilation.
Axes: B batch (prompts), H hidden.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from zoo.decoding.sampling import sample
from zoo.decoding.settings import GenerationSettings
from zoo.fetching import fetch
from zoo.layers.masks import select
from zoo.models.output import LanguageModel
from zoo.special_tokens import END_ID, START_ID
from zoo.types import Params, PyTree

BLOCK_STEPS = 32
PREFILL_STEPS = 64


class DecodingState(NamedTuple):
    """The state of every row of a batch between two steps.

    Attributes:
        carry: the model's state, arrays [B, H].
        tokens: int32[B], the input of the next step.
        fresh: bool[B], True before a row's first step, which starts at the initial state.
    """

    carry: PyTree
    tokens: Array
    fresh: Array


class Draw(NamedTuple):
    """The keys and options with which the next tokens of every row are drawn.

    Attributes:
        row_keys: keys [B]; token i of row b is drawn with fold_in(row_keys[b], i).
        first: i of the first token, or int32[B] with a value for each row.
        options: keyword arguments of `sample`; each may be an array [B].
    """

    row_keys: Array
    first: Array | np.int32
    options: Mapping[str, Array | np.ndarray | np.generic]


def generate_tokens(
    model: LanguageModel,
    params: Params,
    inputs: Sequence[Sequence[int]],
    settings: GenerationSettings,
    *,
    first_row: int = 0,
    block_steps: int = BLOCK_STEPS,
) -> Iterator[np.ndarray]:
    """Draws tokens without end; the caller decides where a text stops.

    Args:
        model: a language model module.
        params: its parameters.
        inputs: the tokens of each prompt, which begin with `<s>`.
        settings: temperature, top_k, top_p, seed and allow_unknown are used.
        first_row: the row number of the first prompt, with which it draws.
        block_steps: the number of tokens drawn per call; it changes no token.

    Yields:
        int32[B, block_steps], the next tokens of every row; never `<s>`.
    """
    rows = jnp.arange(first_row, first_row + len(inputs))
    draw = first_draw(settings, rows, model.vocabulary_size)
    state = read_prompts(model, params, inputs)
    while True:
        state, drawn = draw_block(model, params, state, draw, num_steps=block_steps)
        yield fetch(drawn)
        draw = draw._replace(first=draw.first + np.int32(block_steps))


def first_draw(settings: GenerationSettings, rows: Array, vocabulary_size: int) -> Draw:
    """Returns how to draw the first token of rows int[B]; keys come from seed and row number."""
    keys = jax.vmap(partial(row_key, np.uint32(settings.seed)))(rows)
    return Draw(keys, np.int32(0), make_options(settings, vocabulary_size))


def row_key(seed: Array | np.uint32, row: Array) -> Array:
    """Returns the key with which row number `row` of a call with a seed draws."""
    return jax.random.fold_in(jax.random.key(seed), row)


def make_options(settings: GenerationSettings, vocabulary_size: int) -> dict[str, np.generic]:
    """Returns keyword arguments of `sample` in fixed types, so that no value compiles it again."""
    return {
        "temperature": np.float32(settings.temperature),
        "top_k": np.int32(min(settings.top_k, vocabulary_size)),
        "top_p": np.float32(settings.top_p),
        "allow_unknown": np.bool_(settings.allow_unknown),
    }


def read_prompts(
    model: LanguageModel, params: Params, inputs: Sequence[Sequence[int]]
) -> DecodingState:
    """Runs the model over all tokens of each prompt except the last one.

    Args:
        model: a language model module.
        params: its parameters.
        inputs: the tokens of each prompt, at least one, of any length.

    Returns:
        The state in which the last token of each row is its next input.
    """
    num_rows = len(inputs)
    lengths = np.array([len(row) - 1 for row in inputs], np.int32)
    num_pieces = -(-int(lengths.max()) // PREFILL_STEPS)
    padded = np.full((num_rows, num_pieces * PREFILL_STEPS), END_ID, np.int32)
    for row, tokens in enumerate(inputs):
        padded[row, : lengths[row]] = tokens[:-1]
    last = jnp.array([row[-1] for row in inputs], jnp.int32)
    state = DecodingState(model.zero_carry(num_rows), last, jnp.ones(num_rows, jnp.bool_))
    for start in range(0, padded.shape[1], PREFILL_STEPS):
        piece = padded[:, start : start + PREFILL_STEPS]
        state = read_piece(model, params, state, piece, np.clip(lengths - start, 0, PREFILL_STEPS))
    return state


@partial(jax.jit, static_argnames="model")
def read_piece(
    model: LanguageModel, params: Params, state: DecodingState, piece: Array, lengths: Array
) -> DecodingState:
    """Reads lengths[b] tokens of each row b; a row of length 0 stays as it is.

    Args:
        model: a language model module.
        params: its parameters.
        state: the state of the rows.
        piece: int32[B, T], the tokens.
        lengths: int32[B], from 0 to T.
    """
    output = model.apply(
        {"params": params},
        piece,
        state.carry,
        lengths=jnp.maximum(lengths, 1),
        resets=state.fresh[:, None],
    )
    read = lengths > 0
    carry = select(read, output.carry, state.carry)
    return DecodingState(carry, state.tokens, state.fresh & ~read)


@partial(jax.jit, static_argnames=("model", "num_steps"))
def draw_block(
    model: LanguageModel, params: Params, state: DecodingState, draw: Draw, *, num_steps: int
) -> tuple[DecodingState, Array]:
    """Draws num_steps tokens for every row; each token is the input of the next step.

    Args:
        model: a language model module.
        params: its parameters.
        state: the state of the rows.
        draw: the record of how the first token is drawn.
        num_steps: the number of tokens.

    Returns:
        The state after the block, and int32[B, num_steps], the tokens drawn.
    """

    def step(state: DecodingState, offset: Array) -> tuple[DecodingState, Array]:
        now = draw._replace(first=draw.first + offset)
        state, drawn, _ = draw_step(model, params, state, now)
        return state, drawn

    state, drawn = jax.lax.scan(step, state, jnp.arange(num_steps))
    return state, drawn.T


def draw_step(
    model: LanguageModel, params: Params, state: DecodingState, draw: Draw
) -> tuple[DecodingState, Array, PyTree]:
    """Draws one token for every row; other arguments are as in `draw_block`.

    Returns:
        The state after the token; the token, int32[B]; and the model's output that it was drawn
        from.
    """
    output = model.apply(
        {"params": params}, state.tokens[:, None], state.carry, resets=state.fresh[:, None]
    )
    keys = draw.row_keys
    keys = jax.vmap(jax.random.fold_in)(keys, jnp.broadcast_to(draw.first, keys.shape))
    drawn = sample(keys, output.logits[:, 0], **draw.options)
    next_inputs = jnp.where(drawn == END_ID, START_ID, drawn)
    return DecodingState(output.carry, next_inputs, jnp.zeros_like(state.fresh)), drawn, output
