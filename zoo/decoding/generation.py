"""Generates text from a language model: one jitted scan for a batch of prompts, block by block.

A prompt is read in pieces of PREFILL_STEPS tokens, all but its last token; the scan then feeds
each row its last token, draws the next one, and feeds that. Blocks of BLOCK_STEPS tokens come back
to the host, so that text can be shown while it is made; the shapes never change, so neither the
length of a prompt nor max_tokens compiles anything again. Legend of axes: B batch (prompts), H
hidden.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, overload

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from zoo.decoding.sampling import sample
from zoo.decoding.settings import GenerationSettings, Stop
from zoo.decoding.text import TextStream, default_stop, prompt_inputs
from zoo.errors import UserError
from zoo.given import given_texts
from zoo.layers.masks import select
from zoo.models.output import LanguageModel
from zoo.models.trained import ModelOrName, TrainedModel, require_language_model
from zoo.special_tokens import END_ID, START_ID
from zoo.types import Params, PyTree

BLOCK_STEPS = 32
PREFILL_STEPS = 64


class DecodingState(NamedTuple):
    """Where every row of a batch stands between two steps.

    Attributes:
        carry: the model's state, arrays [B, H].
        tokens: int32[B], the input of the next step.
        fresh: bool[B], True before a row's first step: the next one starts at the initial state.
    """

    carry: PyTree
    tokens: Array
    fresh: Array


class Draw(NamedTuple):
    """How the next tokens of every row are drawn.

    Attributes:
        row_keys: keys [B]; token i of row b is drawn with fold_in(row_keys[b], i).
        first: i of the first token, or int32[B], one for each row.
        options: keyword arguments of `sample`; each may be an array [B].
    """

    row_keys: Array
    first: Array | np.int32
    options: Mapping[str, Array | np.ndarray | np.generic]


@overload
def generate(checkpoint: ModelOrName, prompt: str = "", **settings: Any) -> str: ...


@overload
def generate(checkpoint: ModelOrName, prompt: Sequence[str], **settings: Any) -> list[str]: ...


def generate(  # type: ignore[misc]  # the overloads leave the settings' names to this line
    checkpoint: ModelOrName,
    prompt: str | Sequence[str] = "",
    *,
    max_tokens: int = GenerationSettings.max_tokens,
    temperature: float = GenerationSettings.temperature,
    top_k: int = GenerationSettings.top_k,
    top_p: float = GenerationSettings.top_p,
    seed: int = GenerationSettings.seed,
    stop: Stop | None = GenerationSettings.stop,
    allow_unknown: bool = GenerationSettings.allow_unknown,
) -> str | list[str]:
    """Continues a prompt, or each of several prompts, with text drawn from a language model.

    A prompt's newlines are sentence ends. Row i of a batch draws with its own random key, made of
    the seed and i: so its text depends neither on the other prompts nor on their number, and the
    same prompt given several times gives several samples.

    Args:
        checkpoint: what `zoo.load` gives, or a name that it takes.
        prompt: the beginning of the text, or several; "" starts at `<s>`.
        max_tokens: how many tokens are drawn at most, sentence ends included.
        temperature: divides the logits; 0 takes the most probable token each time (greedy).
        top_k: only the k most probable tokens may be drawn; 0 is no limit.
        top_p: only the most probable tokens that together reach this probability; 1 is no limit.
        seed: the same seed gives the same text.
        stop: "end" stops at the first `</s>`, "length" goes on after it on a new line; None
            is "length" for a character vocabulary and "end" for others.
        allow_unknown: whether `<unk>` may be drawn.

    Returns:
        The prompt and its continuation; a list of them where a list of prompts was given.

    Raises:
        UserError: a setting is out of its bounds.

    Warns:
        PromptWarning: the vocabulary lacks a character or word of a prompt.

    Example:
        >>> from zoo.data.vocabulary import build_vocabulary
        >>> from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig
        >>> from zoo.models.trained import TrainedLanguageModel
        >>> vocabulary = build_vocabulary("character", ["ab"])
        >>> model = RecurrentLM(RecurrentLMConfig(hidden_sizes=(8,)), len(vocabulary))
        >>> params = jax.jit(model.init)(jax.random.key(0), jnp.array([[START_ID]]))["params"]
        >>> checkpoint = TrainedLanguageModel(model=model, params=params, vocabulary=vocabulary)
        >>> text = generate(checkpoint, "ab", max_tokens=10, temperature=0.8, seed=7)
        >>> text.startswith("ab"), len(text)
        (True, 12)
    """
    settings = GenerationSettings(
        max_tokens=max_tokens,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
        stop=stop,
        allow_unknown=allow_unknown,
    )
    prompts = given_texts(prompt, "prompt")
    if not prompts:
        raise UserError("the list of prompts is empty; give one prompt or more, such as ['']")
    texts = list(prompts)
    model = require_language_model(checkpoint)
    inputs = _read_inputs(model, prompts)
    for pieces in _generate_pieces(model, prompts, inputs, settings):
        texts = [text + piece for text, piece in zip(texts, pieces, strict=True)]
    return texts[0] if isinstance(prompt, str) else texts


def stream_generate(
    checkpoint: ModelOrName, prompt: str = "", settings: GenerationSettings | None = None
) -> Iterator[str]:
    """Generates as `generate` does and gives the text while it is made.

    Args:
        checkpoint: what `zoo.load` gives, or a name that it takes.
        prompt: the beginning of the text.
        settings: None for the defaults.

    Yields:
        Pieces of text, the prompt first; joined they are what `generate` returns.

    Warns:
        PromptWarning: the vocabulary lacks a character or word of the prompt. It comes before the
            first piece, so that a program never tells of it in the middle of a text.
    """
    prompt = given_texts(prompt, "prompt")[0]
    model = require_language_model(checkpoint)
    inputs = _read_inputs(model, [prompt])
    yield prompt
    settings = settings or GenerationSettings()
    for (piece,) in _generate_pieces(model, [prompt], inputs, settings):
        yield piece


def _read_inputs(checkpoint: TrainedModel, prompts: list[str]) -> list[list[int]]:
    """Returns the tokens of each prompt; it warns of those that the vocabulary lacks."""
    return [prompt_inputs(checkpoint.vocabulary, prompt) for prompt in prompts]


def _generate_pieces(
    checkpoint: TrainedModel,
    prompts: list[str],
    inputs: list[list[int]],
    settings: GenerationSettings,
) -> Iterator[list[str]]:
    """Yields what each row's text grows by with each block, until all rows are finished."""
    vocabulary = checkpoint.vocabulary
    stop = settings.stop or default_stop(vocabulary)
    streams = [
        TextStream(vocabulary, prompt, stop=stop, max_tokens=settings.max_tokens)
        for prompt in prompts
    ]
    for block in generate_tokens(checkpoint.model, checkpoint.params, inputs, settings):
        yield [stream.write(row) for stream, row in zip(streams, block.tolist(), strict=True)]
        if all(stream.finished for stream in streams):
            return


def generate_tokens(
    model: LanguageModel,
    params: Params,
    inputs: Sequence[Sequence[int]],
    settings: GenerationSettings,
    *,
    block_steps: int = BLOCK_STEPS,
) -> Iterator[np.ndarray]:
    """Draws tokens without end: where a text stops is for the caller to see.

    Args:
        model: a language model module.
        params: its parameters.
        inputs: the tokens of each prompt, the first of them `<s>`.
        settings: temperature, top_k, top_p, seed and allow_unknown are used.
        block_steps: tokens drawn a call; it changes no token.

    Yields:
        int32[B, block_steps], the next tokens of every row; never `<s>`.
    """
    draw = first_draw(settings, len(inputs), model.vocabulary_size)
    state = read_prompts(model, params, inputs)
    while True:
        state, drawn = draw_block(model, params, state, draw, num_steps=block_steps)
        yield np.asarray(drawn)
        draw = draw._replace(first=draw.first + np.int32(block_steps))


def first_draw(settings: GenerationSettings, num_rows: int, vocabulary_size: int) -> Draw:
    """How the first token of each row is drawn, with keys made of the seed and the row's number."""
    keys = jax.vmap(partial(row_key, np.uint32(settings.seed)))(jnp.arange(num_rows))
    return Draw(keys, np.int32(0), make_options(settings, vocabulary_size))


def row_key(seed: Array | np.uint32, row: Array) -> Array:
    """The key that row number `row` of a call with a seed draws with."""
    return jax.random.fold_in(jax.random.key(seed), row)


def make_options(settings: GenerationSettings, vocabulary_size: int) -> dict[str, np.generic]:
    """Keyword arguments of `sample`, of one type each: so no value compiles anything again."""
    return {
        "temperature": np.float32(settings.temperature),
        "top_k": np.int32(min(settings.top_k, vocabulary_size)),
        "top_p": np.float32(settings.top_p),
        "allow_unknown": np.bool_(settings.allow_unknown),
    }


def read_prompts(
    model: LanguageModel, params: Params, inputs: Sequence[Sequence[int]]
) -> DecodingState:
    """Runs the model over all of each prompt but its last token.

    Args:
        model: a language model module.
        params: its parameters.
        inputs: the tokens of each prompt, at least one, of any length.

    Returns:
        The state in which each row's last token is its next input.
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
    """Reads lengths[b] tokens of each row b, which may be none: that row stays as it is.

    Args:
        model: a language model module.
        params: its parameters.
        state: where the rows stand.
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
    """Draws num_steps tokens for every row, each the input of the step after it.

    Args:
        model: a language model module.
        params: its parameters.
        state: where the rows stand.
        draw: how the first of the tokens is drawn.
        num_steps: how many tokens.

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
    """Draws one token for every row; arguments as those of `draw_block`.

    Returns:
        The state after the token, int32[B], the token, and the model's output that it was drawn
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
