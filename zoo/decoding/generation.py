"""Text generation with a language model: one jitted scan for a batch of prompts, block by block.

All tokens of a prompt except the last are read in pieces of PREFILL_STEPS tokens. The scan then
feeds each row its last token, draws the next token, and feeds that token. Blocks of BLOCK_STEPS
tokens come back to the host, so that text can be shown while it is generated. The shapes never
change, so neither the length of a prompt nor max_tokens causes another compilation. Axes: B batch
(prompts), H hidden.
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

    The newlines of a prompt are sentence ends. Row i of a batch draws with its own random key, made
    from the seed and i. So its text depends neither on the other prompts nor on their number, and
    the same prompt given several times gives several samples.

    Args:
        checkpoint: a checkpoint from `zoo.load`, or a name that `zoo.load` accepts.
        prompt: the beginning of the text, or a list of beginnings; "" starts at `<s>`.
        max_tokens: the largest number of tokens drawn, with sentence ends.
        temperature: divides the logits; 0 always takes the most probable token (greedy decoding).
        top_k: only the k most probable tokens may be drawn; 0 means no limit.
        top_p: only the most probable tokens that together reach this probability may be drawn; 1
            means no limit.
        seed: the random seed; the same seed gives the same text.
        stop: "end" stops at the first `</s>`, "length" continues after it on a new line. None means
            "length" for a character vocabulary and "end" for others.
        allow_unknown: whether `<unk>` may be drawn.

    Returns:
        The prompt and its continuation; a list of such texts for a list of prompts.

    Raises:
        UserError: if a setting is out of its bounds.

    Warns:
        PromptWarning: if the vocabulary lacks a character or word of a prompt.

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
    """Generates text like `generate`, and yields it while it is generated.

    Args:
        checkpoint: a checkpoint from `zoo.load`, or a name that `zoo.load` accepts.
        prompt: the beginning of the text.
        settings: the generation settings; None means the defaults.

    Yields:
        Pieces of text, the prompt first. Joined, they are the text that `generate` returns.

    Warns:
        PromptWarning: if the vocabulary lacks a character or word of the prompt. The warning comes
            before the first piece, so that a program does not print it in the middle of a text.
    """
    prompt = given_texts(prompt, "prompt")[0]
    model = require_language_model(checkpoint)
    inputs = _read_inputs(model, [prompt])
    yield prompt
    settings = settings or GenerationSettings()
    for (piece,) in _generate_pieces(model, [prompt], inputs, settings):
        yield piece


def _read_inputs(checkpoint: TrainedModel, prompts: list[str]) -> list[list[int]]:
    """Returns the tokens of each prompt, and warns of parts that the vocabulary lacks."""
    return [prompt_inputs(checkpoint.vocabulary, prompt) for prompt in prompts]


def _generate_pieces(
    checkpoint: TrainedModel,
    prompts: list[str],
    inputs: list[list[int]],
    settings: GenerationSettings,
) -> Iterator[list[str]]:
    """Yields the text that each block adds to each row, until all rows are finished."""
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
    """Draws tokens without end; the caller decides where a text stops.

    Args:
        model: a language model module.
        params: its parameters.
        inputs: the tokens of each prompt, which begin with `<s>`.
        settings: temperature, top_k, top_p, seed and allow_unknown are used.
        block_steps: the number of tokens drawn per call; it changes no token.

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
    """Returns how to draw the first token of each row, with keys from the seed and row number."""
    keys = jax.vmap(partial(row_key, np.uint32(settings.seed)))(jnp.arange(num_rows))
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
