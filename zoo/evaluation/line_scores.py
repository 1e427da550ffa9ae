"""The score of each of many texts by a language model, in a few calls for all of them."""

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
        checkpoint: any language model, or a name that `zoo.load` takes.
        texts: the texts; a newline in one ends a sentence.
        mode: "sentence" starts the state anew at each sentence, so that a text's score does not
            depend on the others; "stream" carries it over sentences and texts.

    Returns:
        A score for each text, whose `nats` are infinite where the model gives a token probability
        0. The scores add up to what `zoo.evaluate` gives for all texts.
    """
    rows = _score(require_language_model(checkpoint), texts, mode)
    return [
        Score(
            num_tokens=len(tokens),
            num_characters=len(text) + 1,
            num_unknown=count_unknown(tokens),
            nats=0.0 + float(nats.sum(dtype=np.float64)),
            mode=mode,
        )
        for text, (tokens, nats) in zip(texts, rows, strict=True)
    ]


def line_surprisals(
    checkpoint: ModelOrName, texts: Sequence[str], *, mode: Mode = "sentence"
) -> list[Surprisal]:
    """Returns the surprisal of each token of each text; arguments as those of `line_scores`."""
    model = require_language_model(checkpoint)
    names = model.vocabulary.tokens
    return [
        Surprisal(tuple(names[token] for token in tokens.tolist()), nats / math.log(2))
        for tokens, nats in _score(model, texts, mode)
    ]


def _score(
    model: TrainedModel, texts: Sequence[str], mode: Mode
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The tokens int32[T] of each text and their surprisal float64[T] in nats."""
    if not texts:
        return []
    rows = [encode_lines(model.vocabulary, text.split("\n")) for text in texts]
    found = token_log_probabilities(model.model, model.params, np.concatenate(rows), mode=mode)
    ends = np.cumsum([len(row) for row in rows])
    nats = np.split(0 - found.astype(np.float64), ends[:-1])
    return list(zip(rows, nats, strict=True))
