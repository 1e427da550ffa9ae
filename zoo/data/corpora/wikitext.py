"""WikiText (Merity et al. 2016). Blank lines are kept, because published results score them."""

from collections.abc import Iterator

from zoo.data.corpora import Lines, register_corpus


@register_corpus(
    "wikitext",
    files={
        "train": "wiki.train.tokens",
        "validation": "wiki.valid.tokens",
        "test": "wiki.test.tokens",
    },
    origin="WikiText-2 or WikiText-103 of S. Merity et al. 2016, Pointer Sentinel Mixture Models",
    keep_blank=True,
)
def wikitext(lines: Lines) -> Iterator[str]:
    """Yields the lines without the blanks around them."""
    for line in lines:
        yield line.strip()
