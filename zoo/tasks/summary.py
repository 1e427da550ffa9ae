"""Lines with the numbers of a corpus, which are shown before training starts."""

from collections.abc import Hashable, Iterable, Mapping, Sequence

import numpy as np

from zoo.data.labels import Labels
from zoo.data.vocabulary import count_unknown

_RARE = 10  # labels with fewer texts are named, because they can hardly be learned or measured
_MOST_NAMED = 12


def describe_rows(kind: str, splits: Mapping[str, int]) -> str:
    """Returns a line with the number of rows of each split.

    Example:
        >>> describe_rows("texts", {"train": 8000, "validation": 1000, "test": 1000})
        'texts: train 8,000, validation 1,000, test 1,000'
    """
    return f"{kind}: " + ", ".join(f"{split} {count:,}" for split, count in splits.items())


def note_repeated(kind: str, splits: Mapping[str, Iterable[Hashable]]) -> tuple[str, ...]:
    """Returns a note on the examples of other splits that training has too, or no note.

    Args:
        kind: a word for the examples.
        splits: for each split its texts, or the words of its sentences. Only hashes are kept.

    Example:
        >>> note_repeated("texts", {"train": ["a", "b"], "validation": ["c"], "test": ["a", "d"]})
        ('1 of 2 test texts also occur in training, which makes scores better than they should be',)
    """
    others = {split: list(map(hash, splits[split])) for split in splits if split != "train"}
    trained = set().union(*others.values()).intersection(map(hash, splits["train"]))
    told = []
    for split, hashes in others.items():
        if number := sum(one in trained for one in hashes):
            told.append(f"{number:,} of {len(hashes):,} {split} {kind}")
    if not told:
        return ()
    return (
        f"{' and '.join(told)} also occur in training, which makes scores better than they "
        "should be",
    )


def describe_labels(labels: Labels) -> tuple[str, ...]:
    """Returns lines with the number of training texts of each label, and with the rare labels.

    Example:
        >>> describe_labels(Labels(("bad", "good"), (3, 40), multiple=False, num_texts=43))
        ('labels: 2: good 40, bad 3', 'labels with fewer than 10 training texts: 1: bad 3')
    """
    ranked = sorted(zip(labels.counts, labels.names, strict=True), key=lambda one: -one[0])
    lines = [f"labels: {len(labels)}: {_listed(ranked)}"]
    if rare := [one for one in ranked[::-1] if one[0] < _RARE]:
        lines.append(f"labels with fewer than {_RARE} training texts: {len(rare)}: {_listed(rare)}")
    return tuple(lines)


def _listed(counted: Sequence[tuple[int, str]]) -> str:
    told = ", ".join(f"{name} {count:,}" for count, name in counted[:_MOST_NAMED])
    more = len(counted) - _MOST_NAMED
    return f"{told} and {more} more" if more > 0 else told


def describe_tokens(
    vocabulary_size: int, of_splits: Mapping[str, Iterable[np.ndarray]], side: str = ""
) -> str:
    """Returns a line with the number of tokens of each split, and the share of unknown tokens.

    Args:
        vocabulary_size: V.
        of_splits: for each split its tokens, int32[N] for each text or piece.
        side: "source " or "target " for a translator; otherwise "".

    Example:
        >>> describe_tokens(50, {"train": [np.array([5, 0]), np.array([5, 7])]})
        'tokens: train 4, of which 25.0% are unknown; 50 in the vocabulary'
    """
    told = []
    for split, pieces in of_splits.items():
        number = unknown = 0
        for piece in pieces:
            number, unknown = number + len(piece), unknown + count_unknown(piece)
        told.append(f"{split} {number:,}, of which {unknown / max(number, 1):.1%} are unknown")
    return f"{side}tokens: {'; '.join(told)}; {vocabulary_size:,} in the vocabulary"
