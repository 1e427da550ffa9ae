"""Multi30k (Elliott et al. 2016): descriptions of pictures in several languages."""

from collections.abc import Iterator

from zoo.data.corpora import Lines, Pair, register_corpus
from zoo.data.corpora.parallel_text import LANGUAGES, side_by_side


@register_corpus(
    "multi30k",
    gives=Pair,
    files={"train": "train", "validation": "val", "test": "test_2016_flickr"},
    languages=LANGUAGES,
    origin="data/task1/raw of github.com/multi30k/dataset, unpacked",
)
def multi30k(lines: Lines) -> Iterator[Pair]:
    """Yields the pairs of two texts."""
    return side_by_side(lines)
