"""The labels of a corpus, with their names and counts."""

import collections
import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from zoo.errors import UserError
from zoo.types import Json

DEFAULT_THRESHOLD = 0.5
_THRESHOLD = "threshold."  # the prefix of a label's name among the scores of a run


@dataclasses.dataclass(frozen=True)
class Labels:
    """The labels that a classifier chooses from.

    Attributes:
        names: the names of the labels, in alphabetical order.
        counts: for each label the number of training texts that have it.
        multiple: whether a text may have several labels or none; otherwise it has exactly one.
        num_texts: the number of training texts.
    """

    names: tuple[str, ...]
    counts: tuple[int, ...]
    multiple: bool
    num_texts: int

    def __len__(self) -> int:
        return len(self.names)

    def encode(self, of_texts: Sequence[Sequence[str]]) -> np.ndarray:
        """Returns the labels of N texts as float32[N, C]: 1 if a text has the label, otherwise 0.

        Raises:
            UserError: a label is not among the names.

        Example:
            >>> make_labels([["b"], ["a"], ["b"]]).encode([["b"], ["a"]]).tolist()
            [[0.0, 1.0], [1.0, 0.0]]
        """
        numbers = {name: number for number, name in enumerate(self.names)}
        targets = np.zeros((len(of_texts), len(self)), np.float32)
        for row, labels in enumerate(of_texts):
            for label in labels:
                if label not in numbers:
                    raise UserError(
                        f"label {label!r} does not occur in training; use one of "
                        f"{_listed(self.names)}, or train on texts with this label"
                    )
                targets[row, numbers[label]] = 1
        return targets

    def name_thresholds(self, thresholds: np.ndarray) -> dict[str, float]:
        """Returns thresholds as scores of a run: for each label a name and a number."""
        names = (_THRESHOLD + name for name in self.names)
        return dict(zip(names, thresholds.tolist(), strict=True))

    def thresholds_in(self, scores: Mapping[str, float]) -> np.ndarray:
        """Returns the thresholds among the scores of a run, see `name_thresholds`.

        A label without a threshold gets `DEFAULT_THRESHOLD`.

        Example:
            >>> labels = make_labels([["a"], ["b"]])
            >>> labels.thresholds_in(labels.name_thresholds(np.array([0.2, 0.3]))).tolist()
            [0.2, 0.3]
            >>> labels.thresholds_in({}).tolist()
            [0.5, 0.5]
        """
        return np.array(
            [float(scores.get(_THRESHOLD + name, DEFAULT_THRESHOLD)) for name in self.names]
        )

    def to_json(self) -> Json:
        """Returns a record of plain JSON types that `labels_from_json` reads back."""
        return {**dataclasses.asdict(self), "names": list(self.names), "counts": list(self.counts)}


def make_labels(of_texts: Sequence[Sequence[str]], *, multiple: bool = False) -> Labels:
    """Returns the labels that occur in the training texts.

    Raises:
        UserError: there are fewer than two labels, or a text does not have exactly one label
            although `multiple` is not set.

    Example:
        >>> make_labels([["b"], ["a", "b"], []], multiple=True)
        Labels(names=('a', 'b'), counts=(1, 2), multiple=True, num_texts=3)
    """
    counts: collections.Counter[str] = collections.Counter()
    for labels in of_texts:
        if not multiple and len(labels) != 1:
            raise UserError(
                f"a training text has {len(labels)} labels ({_listed(labels)}); give each text one "
                "label, or register the corpus with multiple=True"
            )
        counts.update(labels)
    if len(counts) < 2:
        raise UserError(
            f"the training texts have {len(counts)} different labels ({_listed(sorted(counts))}); "
            "a classifier needs two or more"
        )
    names = tuple(sorted(counts))
    return Labels(names, tuple(counts[name] for name in names), multiple, len(of_texts))


def labels_from_json(record: Json) -> Labels:
    """Returns the labels from a record that `Labels.to_json` made.

    Raises:
        UserError: the record is damaged.
    """
    try:
        labels = Labels(
            tuple(map(str, record["names"])),
            tuple(map(int, record["counts"])),
            bool(record["multiple"]),
            int(record["num_texts"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"the labels are damaged ({error!r}); take another checkpoint") from error
    if len(labels.names) != len(labels.counts) or len(set(labels.names)) != len(labels.names):
        raise UserError("the labels are damaged: names and counts differ; take another checkpoint")
    return labels


def _listed(names: Sequence[str], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
