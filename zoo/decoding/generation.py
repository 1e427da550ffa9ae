"""Texts that a language model writes: from `<s>`, or from prompts that they continue."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, overload

from zoo.decoding.blocks import generate_tokens
from zoo.decoding.settings import GenerationSettings, Stop
from zoo.decoding.text import TextStream, default_stop, prompt_inputs
from zoo.errors import UserError
from zoo.given import given_texts
from zoo.models.trained import ModelOrName, TrainedModel, require_language_model
from zoo.side_by_side import row_groups, side_by_side

GROUP_ROWS = 32  # as many rows are worth a thread of their own


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
        >>> import jax
        >>> from zoo.data.vocabulary import build_vocabulary
        >>> from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig
        >>> from zoo.models.trained import TrainedLanguageModel
        >>> vocabulary = build_vocabulary("character", ["ab"])
        >>> model = RecurrentLM(RecurrentLMConfig(hidden_sizes=(8,)), len(vocabulary))
        >>> start = jax.numpy.array([[1]])  # <s>
        >>> params = jax.jit(model.init)(jax.random.key(0), start)["params"]
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
    model = require_language_model(checkpoint)
    inputs = _read_inputs(model, prompts)

    def write(rows: range) -> list[str]:
        part = slice(rows.start, rows.stop)
        texts, found = prompts[part], inputs[part]
        for pieces in _generate_pieces(model, texts, found, settings, rows.start):
            texts = [text + piece for text, piece in zip(texts, pieces, strict=True)]
        return texts

    groups = row_groups(len(prompts), GROUP_ROWS, model.params)
    texts = list(itertools.chain(*side_by_side(write, groups, model.params)))
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
    first_row: int = 0,
) -> Iterator[list[str]]:
    """Yields the text that each block adds to each row, until all rows are finished."""
    vocabulary = checkpoint.vocabulary
    stop = settings.stop or default_stop(vocabulary)
    streams = [
        TextStream(vocabulary, prompt, stop=stop, max_tokens=settings.max_tokens)
        for prompt in prompts
    ]
    model, params = checkpoint.model, checkpoint.params
    for block in generate_tokens(model, params, inputs, settings, first_row=first_row):
        yield [stream.write(row) for stream, row in zip(streams, block.tolist(), strict=True)]
        if all(stream.finished for stream in streams):
            return
