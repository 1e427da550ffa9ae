"""Whether one model is better than another on a split, or only luckier: the paired bootstrap.

    d   = score(A) - score(B)                     on the N texts of the split
    d_b = score(A on b) - score(B on b)           on sample b: N texts drawn from them, with repeats
    p   = (1 + number of b with |d_b - d| >= |d|) / (1 + number of samples)

Both models are scored on the same drawn texts (Koehn 2004), so what makes a text hard for both
cancels out. p is how often a difference as large would be seen if there were none: the differences
d_b scatter around d as those of models that do not differ would around 0 (Efron and Tibshirani
1993, section 16.4). It speaks of other texts of this kind, not of other seeds of the training.

Axes: N texts, K numbers of a text, S samples.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from zoo.errors import UserError
from zoo.types import Json

_DRAWS_A_TIME = 2**22  # texts drawn in one go


class Measure(NamedTuple):
    """A score of a whole split, made of sums over its texts.

    Attributes:
        values: float64[N, K], what each text adds to the sums.
        score: from sums, float64[S, K], to scores, float64[S].
        same: columns of the values that must be the same for both models, for their scores to be
            of one thing.
    """

    values: np.ndarray
    score: Callable[[np.ndarray], np.ndarray]
    same: tuple[int, ...] = ()


class TextStatistics(NamedTuple):
    """What a model does with each text of a split.

    Attributes:
        texts: the N texts.
        measures: by name, those that suit the model's task.
    """

    texts: Sequence[str]
    measures: dict[str, Measure]


class Difference(NamedTuple):
    """The difference between two models by one measure.

    Attributes:
        measure: its name.
        first, second: the scores of both models on all texts.
        difference: d, first minus second.
        low, high: the middle 95 per cent of d_b.
        p_value: p.
        num_texts, num_samples: N and S.
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
        """The fields as plain JSON types."""
        return self._asdict()


def compare(
    first: TextStatistics, second: TextStatistics, *, num_samples: int = 10_000, seed: int = 0
) -> list[Difference]:
    """Tests the difference between two models on the same texts.

    Args:
        first: of the first model.
        second: of the second one, of the same task.
        num_samples: S.
        seed: of the samples.

    Returns:
        A difference for each measure that both have. Perplexities are compared only where both
        models cut the texts into as many tokens.

    Raises:
        UserError: the texts differ, or no measure is of one thing for both.
    """
    if list(first.texts) != list(second.texts):
        raise UserError(
            f"the two models were measured on different texts ({len(first.texts)} and "
            f"{len(second.texts)}); give models of one corpus, or a file with --text"
        )
    found = []
    for name, own in first.measures.items():
        other = second.measures.get(name)
        if other is not None and _agree(own, other):
            found.append(_compare(name, own, other, num_samples, seed))
    if not found:
        raise UserError(
            "no score of the two models is of one thing, such as of the same labels; give models "
            "of one task and corpus"
        )
    return found


def _agree(first: Measure, second: Measure) -> bool:
    """Whether both models' scores are of one thing."""
    if first.values.shape != second.values.shape:
        return False
    columns = list(first.same)
    return np.array_equal(first.values[:, columns], second.values[:, columns])


def _compare(name: str, first: Measure, second: Measure, num_samples: int, seed: int) -> Difference:
    num_texts = len(first.values)
    whole = [float(one.score(one.values.sum(axis=0, keepdims=True))[0]) for one in (first, second)]
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
    """The quotient of two sums [S, 2], such as right texts by texts.

    Example:
        >>> ratio(np.array([[3.0, 4.0]])).tolist()
        [0.75]
    """
    return sums[:, 0] / sums[:, 1]


def exp_ratio(sums: np.ndarray) -> np.ndarray:
    """Perplexity, from sums [S, 2] of nats and of tokens."""
    return np.exp(ratio(sums))


def bits_ratio(sums: np.ndarray) -> np.ndarray:
    """Bits a character, from sums [S, 2] of nats and of characters."""
    return ratio(sums) / np.log(2)


def mean_f1(sums: np.ndarray) -> np.ndarray:
    """Macro F1, see `zoo.evaluation.classification`, from sums [S, 2C].

    The first C columns are the texts of each label for which the label was chosen, times 2; the
    others are the texts for which it was chosen and those that have it, together.

    Example:
        >>> mean_f1(np.array([[2.0, 0.0, 0.0, 3.0, 1.0, 0.0]])).round(3).tolist()
        [0.333]
    """
    right, occurs = np.split(sums, 2, axis=1)
    f1 = right / np.maximum(occurs, 1)
    return f1.sum(axis=1) / np.maximum((occurs > 0).sum(axis=1), 1)


def all_f1(sums: np.ndarray) -> np.ndarray:
    """Micro F1, from the same sums as macro F1."""
    right, occurs = np.split(sums, 2, axis=1)
    return right.sum(axis=1) / np.maximum(occurs.sum(axis=1), 1)
