"""IMDB (Maas et al. 2011): film reviews, positive or negative."""

from collections.abc import Iterator

from zoo.data.corpora import Labeled, Lines, register_corpus


@register_corpus(
    "imdb",
    gives=Labeled,
    files={"train": "train.tsv.gz", "validation": "val.tsv.gz", "test": "test.tsv.gz"},
    origin="Maas et al. 2011, one line per review: label, stars, id and text with tabs between",
)
def imdb(lines: Lines) -> Iterator[Labeled]:
    """Yields the reviews of a table without a header."""
    for line in lines:
        fields = line.split("\t")
        if len(fields) != 4 or fields[0] not in ("0", "1"):
            raise ValueError("use 0 or 1, stars, id and text with tabs between")
        label = "positive" if fields[0] == "1" else "negative"
        yield Labeled(fields[3].replace("<br />", " "), (label,))
