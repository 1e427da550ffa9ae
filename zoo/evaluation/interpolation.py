"""Mixtures of language models: weights by expectation-maximization, scores, and winners by token.

    p(w_i | h_i) = sum_k lambda_k p_k(w_i | h_i)

    lambda_k <- (1/N) sum_i  lambda_k p_k(w_i | h_i) / p(w_i | h_i)

(Dempster, Laird and Rubin 1977; for language models Jelinek and Mercer 1980.) No step lowers the
likelihood of the text that the weights are fitted to, and the likelihood has one maximum. Weights
are tuned on validation text, never on the text of the reported scores.

Axes: K models, N tokens.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np

from zoo.data.vocabulary import Vocabulary, count_unknown, encode_lines
from zoo.errors import UserError
from zoo.evaluation.modes import Mode
from zoo.evaluation.perplexity import Score, text_lines, token_log_probabilities
from zoo.given import given_list
from zoo.models.mixture import MixtureLM
from zoo.models.trained import (
    LANGUAGE_MODEL,
    Kind,
    ModelOrName,
    TrainedModel,
    require_language_model,
)
from zoo.types import Params

MAX_ITERATIONS = 2000  # the nats are then within log(K) / MAX_ITERATIONS of the best
TOLERANCE_NATS = 1e-7  # per token; the iteration ends after a smaller gain


class Fit(NamedTuple):
    """Weights by expectation-maximization.

    Attributes:
        weights: float64[K], which sum to one.
        nats_per_token: the loss of the mixture before each step and after the last one; it never
            rises.
    """

    weights: np.ndarray
    nats_per_token: list[float]


def fit_weights(log_probabilities: np.ndarray) -> Fit:
    """Returns the weights with which a mixture gives a text the highest probability.

    Args:
        log_probabilities: [K, N], natural logarithms, for every token by every model.

    Raises:
        UserError: if every model gives some token probability 0.

    Example:
        >>> fit = fit_weights(np.log([[0.9, 0.9, 0.1], [0.1, 0.1, 0.9]]))
        >>> fit.weights.round(3).tolist()
        [0.708, 0.292]
    """
    highest = log_probabilities.max(axis=0)
    if not np.isfinite(highest).all():
        raise UserError("every model gives some token of the text probability 0; add another model")
    relative = np.exp(log_probabilities - highest)
    weights = np.full(len(relative), 1 / len(relative))
    nats = [math.inf]
    while True:
        mixed = weights @ relative
        nats.append(-float((np.log(mixed) + highest).mean()))
        if nats[-2] - nats[-1] < TOLERANCE_NATS or len(nats) > MAX_ITERATIONS:
            return Fit(weights, nats[1:])
        weights = weights * (relative / mixed).mean(axis=1)
        weights /= weights.sum()


def interpolate(log_probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns the mixture's log-probability of every token, [N]; see `fit_weights`.

    Example:
        >>> np.exp(interpolate(np.log([[0.5], [0.1]]), np.array([0.25, 0.75]))).round(3).tolist()
        [0.2]
    """
    with np.errstate(divide="ignore"):
        weighted = log_probabilities + np.log(weights)[:, None]
    return np.logaddexp.reduce(weighted, axis=0)


@dataclasses.dataclass(frozen=True, eq=False)
class Mixture:
    """Trained models and their weights.

    `zoo.generate`, `zoo.evaluate`, `zoo.perplexity` and `zoo.surprisal` take a mixture in place of
    a checkpoint if its models number their tokens alike and none adapts. `evaluate_mixture` scores
    every mixture.

    Attributes:
        parts: the trained models.
        weights: float64[K].
    """

    kind: ClassVar[Kind] = LANGUAGE_MODEL
    name: ClassVar[str] = "the mixture"

    parts: tuple[TrainedModel, ...]
    weights: np.ndarray

    def __repr__(self) -> str:
        """Returns a line for the mixture, and a line for each part."""
        parts = zip(self.weights.tolist(), self.parts, strict=True)
        rows = [f"\n  {weight:.3f} of {part.name}" for weight, part in parts]
        return f"{self.name}: {self.kind.noun} of {len(self.parts)} models{''.join(rows)}"

    @property
    def model(self) -> MixtureLM:
        """The mixture as a language model."""
        if any(part.vocabulary.tokens != self.vocabulary.tokens for part in self.parts):
            raise UserError(
                "the models number their tokens differently, so they can score texts together but "
                "not generate; train them on one corpus"
            )
        return MixtureLM(tuple(part.model for part in self.parts))

    @property
    def params(self) -> Params:
        """The parameters of the mixture."""
        weights = self.weights.astype(np.float32)
        return {"weights": weights, "parts": [part.params for part in self.parts]}

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary of the first part."""
        return self.parts[0].vocabulary


def mix(
    checkpoints: Sequence[ModelOrName], tune: str | Sequence[str], *, mode: Mode = "stream"
) -> Mixture:
    """Returns a mixture of models, with the weights that suit a text best.

    Args:
        checkpoints: two or more checkpoints from `zoo.load`, or names, over the same tokens.
        tune: the text, or its lines; it should be validation text.
        mode: as in `zoo.evaluate`.

    Raises:
        UserError: if the models have different vocabularies, or the text is empty.
    """
    models = [require_language_model(one) for one in given_list(checkpoints, "checkpoints")]
    check_vocabularies(models)
    log_probabilities = score_parts(models, text_lines(tune), mode=mode)
    return Mixture(tuple(models), fit_weights(log_probabilities).weights)


def check_vocabularies(checkpoints: Sequence[TrainedModel]) -> None:
    """Raises a UserError unless all models have the same tokens."""
    if not checkpoints:
        raise UserError("there is no model to mix; give one or more")
    first = checkpoints[0].vocabulary
    for checkpoint in checkpoints[1:]:
        other = checkpoint.vocabulary
        if (other.kind, set(other.tokens)) != (first.kind, set(first.tokens)):
            lacking = sorted(set(first.tokens) ^ set(other.tokens))[:3]
            raise UserError(
                f"the models have different vocabularies, of {len(first)} {first.kind} tokens "
                f"and of {len(other)} {other.kind} tokens; not in both: "
                f"{', '.join(map(repr, lacking))}, ...; mix models of one corpus"
            )


def score_parts(
    checkpoints: Sequence[TrainedModel], lines: Sequence[str], *, mode: Mode = "stream"
) -> np.ndarray:
    """Returns the log-probability of every token of a text by every model, float64[K, N]."""
    return np.array(
        [
            token_log_probabilities(
                checkpoint.model,
                checkpoint.params,
                encode_lines(checkpoint.vocabulary, lines),
                mode=mode,
            )
            for checkpoint in checkpoints
        ],
        np.float64,
    )


class MixtureScore(NamedTuple):
    """The scores of a mixture and of its parts on a text."""

    mixture: Score
    parts: list[Score]


def evaluate_mixture(
    mixture: Mixture, text: str | Sequence[str], *, mode: Mode = "stream"
) -> MixtureScore:
    """Evaluates a mixture and each of its parts on a text; see `zoo.evaluate`.

    The nats of a part are infinite if it gives a token the probability 0.

    Raises:
        UserError: the mixture gives a token the probability 0, or the text is empty.
    """
    lines = text_lines(text)
    log_probabilities = score_parts(mixture.parts, lines, mode=mode)
    tokens = encode_lines(mixture.vocabulary, lines)

    def score(log_probability: np.ndarray) -> Score:
        return Score(
            num_tokens=len(tokens),
            num_characters=sum(len(line) + 1 for line in lines),
            num_unknown=count_unknown(tokens),
            nats=-float(log_probability.sum()),
            mode=mode,
        )

    mixed = interpolate(log_probabilities, mixture.weights)
    if not np.isfinite(mixed).all():
        raise UserError(
            "all models of the mixture give a token of the text the probability 0; add a model "
            "that gives every token some probability"
        )
    return MixtureScore(score(mixed), [score(row) for row in log_probabilities])


class Winners(NamedTuple):
    """Which model gives each token of a text the highest probability.

    Attributes:
        tokens: the N tokens as text, with `</s>` at the end of each line.
        log_probabilities: float64[K, N].
        mixture: float64[N], the log-probabilities by the mixture.
        winner: int[N], the number of the best model.
    """

    tokens: list[str]
    log_probabilities: np.ndarray
    mixture: np.ndarray
    winner: np.ndarray


def find_winners(mixture: Mixture, text: str, *, mode: Mode = "stream") -> Winners:
    """Finds the model of a mixture that predicts each token best; the first one among equals."""
    lines = text_lines(text)
    log_probabilities = score_parts(mixture.parts, lines, mode=mode)
    vocabulary = mixture.vocabulary
    tokens = [vocabulary.tokens[token] for token in encode_lines(vocabulary, lines)]
    mixed = interpolate(log_probabilities, mixture.weights)
    return Winners(tokens, log_probabilities, mixed, log_probabilities.argmax(axis=0))
