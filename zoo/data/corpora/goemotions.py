"""GoEmotions (Demszky et al. 2020): comments, each with one or more of 27 emotions, or neutral."""

from collections.abc import Iterator

from zoo.data.corpora import Labeled, Lines, register_corpus
from zoo.data.text_reading import numbered_lines


@register_corpus(
    "goemotions",
    gives=Labeled,
    files={
        "train": "train.tsv",
        "validation": "dev.tsv",
        "test": "test.tsv",
        "labels": "labels.txt",
    },
    origin="goemotions/data of github.com/google-research/google-research",
    multiple=True,
)
def goemotions(lines: Lines) -> Iterator[Labeled]:
    """Yields the comments. A line has a text, the numbers of its labels and an id, between tabs."""
    names = [name for name, _ in numbered_lines(lines.others["labels"])]
    known = {str(number): name for number, name in enumerate(names)}
    for line in lines:
        fields = line.split("\t")
        numbers = fields[1].split(",") if len(fields) == 3 else []
        if not numbers or not known.keys() >= set(numbers):
            raise ValueError(f"use text, label numbers below {len(names)} and id with tabs between")
        yield Labeled(fields[0], tuple(known[number] for number in numbers))
