"""The scores of many texts by a language model, computed together in a few calls."""

import math
from collections.abc import Sequence

import numpy as np

from zoo.data.vocabulary import count_unknown, encode_lines
from zoo.evaluation.modes import Mode
from zoo.evaluation.perplexity import Score, token_log_probabilities
from zoo.evaluation.surprisal import Surprisal
from zoo.models.trained import ModelOrName, TrainedModel, require_language_model


def line_scores(
    checkpoint: ModelOrName, texts: Sequence[str], *, mode: Mode = "sentence"
) -> list[Score]:
    """Returns the score of each text.

    Args:
        checkpoint: any language model, or a name that `zoo.load` accepts.
        texts: the texts; a newline in a text ends a sentence.
        mode: "sentence" resets the state at each sentence, so that a text's score does not depend
            on the others. "stream" carries the state over sentences and texts. A model that adapts
            carries its parameters and its cache over in both modes.

    Returns:
        A score for each text. Its `nats` are infinite if the model gives a token probability 0. The
        scores add up to the score of `zoo.evaluate` for all texts.
    """
    return [score for score, _ in line_details(checkpoint, texts, mode=mode)]


def line_details(
    checkpoint: ModelOrName, texts: Sequence[str], *, mode: Mode = "sentence"
) -> list[tuple[Score, Surprisal]]:
    """Returns the score of each text and the surprisal of its tokens; see `line_scores`."""
    model = require_language_model(checkpoint)
    names = model.vocabulary.tokens
    found = []
    for text, (tokens, nats) in zip(texts, _score(model, texts, mode), strict=True):
        score = Score(
            num_tokens=len(tokens),
            num_characters=len(text) + 1,
            num_unknown=count_unknown(tokens),
            nats=0.0 + float(nats.sum(dtype=np.float64)),
            mode=mode,
        )
        said = tuple(names[token] for token in tokens.tolist())
        found.append((score, Surprisal(said, nats / math.log(2))))
    return found


def _score(
    model: TrainedModel, texts: Sequence[str], mode: Mode
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns the tokens int32[T] of each text and their surprisal float64[T] in nats."""
    if not texts:
        return []
    rows = [encode_lines(model.vocabulary, text.split("\n")) for text in texts]
    found = token_log_probabilities(model.model, model.params, np.concatenate(rows), mode=mode)
    ends = np.cumsum([len(row) for row in rows])
    nats = np.split(0 - found.astype(np.float64), ends[:-1])
    return list(zip(rows, nats, strict=True))
