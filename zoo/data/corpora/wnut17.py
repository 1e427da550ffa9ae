"""WNUT-17 (Derczynski et al. 2017): names of six kinds in tweets and forum posts, in IOB2.

Some copies of the test split have several tags for a word on which annotators disagreed, separated
by commas, such as B-product,B-group. The last tag is read, because it gives nearly the same number
of names of each kind as the adjudicated tags.
"""

from collections.abc import Iterator

from zoo.data.corpora import Lines, Tagged, register_corpus
from zoo.data.corpora.conll_file import column_reader
from zoo.data.token_lines import read_sentences


@register_corpus(
    "wnut17",
    gives=Tagged,
    files={
        "train": ("wnut17train.conll", "train.conll"),
        "validation": ("emerging.dev.conll", "valid.conll"),
        "test": ("emerging.test.annotated", "test.conll"),
    },
    keep_blank=True,
    origin="github.com/leondz/emerging_entities_17",
)
def wnut17(lines: Lines) -> Iterator[Tagged]:
    """Yields the sentences. A line has a word and a tag."""
    read = column_reader("1", "2")

    def read_last(line: str) -> tuple[str, str] | None:
        found = read(line)
        return found and (found[0], found[1].rpartition(",")[2])

    return read_sentences(lines, read_last)
