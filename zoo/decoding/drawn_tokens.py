"""Text generation token by token, with the probability of each token and its alternatives.

The probabilities are the model's own, softmax(logits). Temperature, top-k and top-p do not change
them, although the draw obeys all three. Axes: V vocabulary, K parts of a mixture.
"""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from zoo.decoding.blocks import DecodingState, Draw, draw_step, first_draw, read_prompts
from zoo.decoding.settings import GenerationSettings
from zoo.decoding.text import TextStream, default_stop, encode_prompt
from zoo.fetching import fetch
from zoo.models.mixture import MixtureLM
from zoo.models.output import LanguageModel
from zoo.models.trained import TrainedModel, require_language_model
from zoo.types import Params

NUM_RUNNERS_UP = 5


class DrawnToken(NamedTuple):
    """A token that was drawn.

    Attributes:
        text: the text that it adds; "" for a sentence end that ends the text.
        token: its name in the vocabulary.
        probability: p(token | all tokens before it), before temperature, top-k and top-p.
        runners_up: the most probable other tokens and their probabilities, the best first.
        parts: for a mixture, the token's probability by each of its K models; else empty.
    """

    text: str
    token: str
    probability: float
    runners_up: tuple[tuple[str, float], ...]
    parts: tuple[float, ...] = ()


def stream_tokens(
    checkpoint: TrainedModel, prompt: str = "", settings: GenerationSettings | None = None
) -> Iterator[DrawnToken]:
    """Generates text like `generate`, a token at a time.

    The tokens are the same as from `generate` with the same settings: both draw by `draw_step` with
    the same keys. Parts of the prompt that the vocabulary lacks are read as `<unk>`;
    `unknown_parts` lists them.

    Args:
        checkpoint: a checkpoint from `zoo.load`, or a mixture.
        prompt: the beginning of the text.
        settings: the generation settings; None means the defaults.

    Yields:
        The tokens, until the text ends. Their joined texts are the text that `generate` adds to the
        prompt.

    Raises:
        UserError: if the checkpoint is not a language model.
    """
    require_language_model(checkpoint)
    settings = settings or GenerationSettings()
    model, params, vocabulary = checkpoint.model, checkpoint.params, checkpoint.vocabulary
    stop = settings.stop or default_stop(vocabulary)
    stream = TextStream(vocabulary, prompt, stop=stop, max_tokens=settings.max_tokens)
    state = read_prompts(model, params, [encode_prompt(vocabulary, prompt)])
    draw = first_draw(settings, jnp.arange(1), model.vocabulary_size)
    while not stream.finished:
        state, found = _draw(model, params, state, draw)
        token, probability, best, ids, parts = (one.tolist() for one in fetch(found))
        others = [
            (vocabulary.tokens[other], value)
            for other, value in zip(ids, best, strict=True)
            if other != token
        ]
        yield DrawnToken(
            text=stream.write([token]),
            token=vocabulary.tokens[token],
            probability=probability,
            runners_up=tuple(others[:NUM_RUNNERS_UP]),
            parts=tuple(parts),
        )
        draw = draw._replace(first=draw.first + np.int32(1))


class _Found(NamedTuple):
    """A token's id and probability, the best tokens with their ids, and [K] by the parts."""

    token: Array
    probability: Array
    best: Array
    ids: Array
    parts: Array


@partial(jax.jit, static_argnames="model")
def _draw(
    model: LanguageModel, params: Params, state: DecodingState, draw: Draw
) -> tuple[DecodingState, _Found]:
    """Draws one token of one row, with its probability and alternatives."""
    state, drawn, output = draw_step(model, params, state, draw)
    token = drawn[0]
    probabilities = jax.nn.softmax(output.logits[0, 0])
    num_best = min(NUM_RUNNERS_UP + 1, model.vocabulary_size)
    best, ids = jax.lax.top_k(probabilities, num_best)
    parts = jnp.exp(output.parts[:, 0, 0, token]) if isinstance(model, MixtureLM) else jnp.zeros(0)
    return state, _Found(token, probabilities[token], best, ids, parts)
