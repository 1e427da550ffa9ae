"""The Penn Treebank as prepared by Mikolov et al. 2010, with one sentence per line."""

from collections.abc import Iterator

from zoo.data.corpora import Lines, register_corpus


@register_corpus(
    "penn_treebank",
    files={"train": "ptb.train.txt", "validation": "ptb.valid.txt", "test": "ptb.test.txt"},
    origin="folder data of T. Mikolov's simple-examples.tgz, which came with RNNLM",
)
def penn_treebank(lines: Lines) -> Iterator[str]:
    """Yields the sentences without the blanks around them."""
    for line in lines:
        yield line.strip()
