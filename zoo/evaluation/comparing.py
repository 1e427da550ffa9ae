"""Paired bootstrap: is one model better than another on a split, or only luckier?

    d   = score(A) - score(B)                     on the N texts of the split
    d_b = score(A on b) - score(B on b)           on sample b: N texts drawn from them, with repeats
    p   = (1 + number of b with |d_b - d| >= |d|) / (1 + number of samples)

Both models are scored on the same drawn texts (Koehn 2004), so effects of texts that are hard for
both cancel out. p is the probability of a difference as large as d if the models did not differ:
then, differences would scatter around 0 as the d_b scatter around d, so p counts how often d_b is
as far from d as d is from 0 (Efron and Tibshirani 1993, section 16.4). A small p says that the
difference would also be found on other texts of this kind. It does not say that it would be found
after another training, with another seed.

Axes: N texts, K sums that a score is computed from, S samples.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from zoo.errors import UserError
from zoo.types import Json

_DRAWS_A_TIME = 2**22  # the number of texts drawn at once


class Measure(NamedTuple):
    """A score of a whole split, computed from sums over its texts.

    Attributes:
        values: float64[N, K], the terms that each text adds to the sums.
        score: a function from sums, float64[S, K], to scores, float64[S].
        same: columns of the values that must be equal for two models. Otherwise their scores
            cannot be compared.
    """

    values: np.ndarray
    score: Callable[[np.ndarray], np.ndarray]
    same: tuple[int, ...] = ()


class TextStatistics(NamedTuple):
    """The results of a model for each text of a split.

    Attributes:
        texts: the N texts.
        measures: the measures of the model's task, by name.
    """

    texts: Sequence[str]
    measures: dict[str, Measure]


class Difference(NamedTuple):
    """The difference between two models by one measure.

    Attributes:
        measure: the name of the measure, such as accuracy, bleu or perplexity.
        first: the score of model A on all texts, in the unit of the measure.
        second: the score of model B on all texts.
        difference: d, first minus second. Of perplexities, a negative difference means that model A
            is better; of accuracies, F1 and BLEU, a positive difference.
        low, high: the bounds of the middle 95 per cent of the d_b.
        p_value: p, above 0 and at most 1.
        num_texts: N.
        num_samples: S.
    """

    measure: str
    first: float
    second: float
    difference: float
    low: float
    high: float
    p_value: float
    num_texts: int
    num_samples: int

    def to_json(self) -> Json:
        """Returns the fields as plain JSON types."""
        return self._asdict()


def compare(
    first: TextStatistics, second: TextStatistics, *, num_samples: int = 10_000, seed: int = 0
) -> list[Difference]:
    """Tests the difference between two models on the same texts.

    Args:
        first: the results of the first model.
        second: the results of the second model, which must be of the same task.
        num_samples: S.
        seed: the seed of the samples.

    Returns:
        A difference for each measure that both models have. Perplexities are compared only if both
        models cut the texts into the same number of tokens, and know as many of them.

    Raises:
        UserError: if the texts differ, there is only one, or no measure can be compared.
    """
    if list(first.texts) != list(second.texts):
        raise UserError(
            f"the two models were measured on different texts ({len(first.texts)} and "
            f"{len(second.texts)}); give models of one corpus, or a file with --text"
        )
    if len(first.texts) < 2:
        raise UserError("there is one text, and samples of one text are all alike; give more texts")
    found = []
    for name, own in first.measures.items():
        other = second.measures.get(name)
        if other is not None and _are_comparable(own, other):
            found.append(_compare(name, own, other, num_samples, seed))
    if not found:
        raise UserError(
            "no score of the two models can be compared, because their labels, their tokens or "
            "their unknown tokens differ; give models of one task and corpus"
        )
    return found


def _are_comparable(first: Measure, second: Measure) -> bool:
    """Returns whether the scores of both models can be compared."""
    if first.values.shape != second.values.shape:
        return False
    columns = list(first.same)
    return np.array_equal(first.values[:, columns], second.values[:, columns])


def _compare(name: str, first: Measure, second: Measure, num_samples: int, seed: int) -> Difference:
    num_texts = len(first.values)
    whole = [float(one.score(one.values.sum(axis=0, keepdims=True))[0]) for one in (first, second)]
    if not np.isfinite(whole).all():
        raise UserError(
            f"{name} is not finite, because a model gives a token the probability 0; compare "
            "models that give every token some probability"
        )
    difference = whole[0] - whole[1]
    draw, drawn = np.random.default_rng(seed), []
    most = max(1, _DRAWS_A_TIME // num_texts)
    for start in range(0, num_samples, most):
        size = min(most, num_samples - start)
        weights = draw.multinomial(num_texts, np.full(num_texts, 1 / num_texts), size=size)
        drawn.append(first.score(weights @ first.values) - second.score(weights @ second.values))
    samples = np.concatenate(drawn)
    as_far = np.count_nonzero(np.abs(samples - difference) >= abs(difference))
    low, high = np.quantile(samples, (0.025, 0.975)).tolist()
    p_value = (1 + as_far) / (1 + num_samples)
    counts = (num_texts, num_samples)
    return Difference(name, whole[0], whole[1], difference, low, high, p_value, *counts)


def ratio(sums: np.ndarray) -> np.ndarray:
    """Returns the quotient of two sums [S, 2], such as right texts by texts.

    Example:
        >>> ratio(np.array([[3.0, 4.0]])).tolist()
        [0.75]
    """
    return sums[:, 0] / sums[:, 1]


def exp_ratio(sums: np.ndarray) -> np.ndarray:
    """Returns the perplexity, from sums [S, 2] of nats and of tokens."""
    return np.exp(ratio(sums))


def bits_ratio(sums: np.ndarray) -> np.ndarray:
    """Returns bits per character, from sums [S, 2] of nats and of characters."""
    return ratio(sums) / np.log(2)


def mean_f1(sums: np.ndarray) -> np.ndarray:
    """Returns macro F1, see `zoo.evaluation.classification`, from sums [S, 2C].

    The first C columns are 2 TP for each label. The other C columns are the number of texts for
    which the label was chosen plus the number of texts that have it.

    Example:
        >>> mean_f1(np.array([[2.0, 0.0, 0.0, 3.0, 1.0, 0.0]])).round(3).tolist()
        [0.333]
    """
    right, occurs = np.split(sums, 2, axis=1)
    f1 = right / np.maximum(occurs, 1)
    return f1.sum(axis=1) / np.maximum((occurs > 0).sum(axis=1), 1)


def all_f1(sums: np.ndarray) -> np.ndarray:
    """Returns micro F1, from the sums that `mean_f1` takes."""
    right, occurs = np.split(sums, 2, axis=1)
    return right.sum(axis=1) / np.maximum(occurs.sum(axis=1), 1)
