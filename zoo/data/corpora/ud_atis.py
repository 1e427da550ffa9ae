"""Universal Dependencies English Atis: questions about flights with their parts of speech."""

from collections.abc import Iterator

from zoo.data.corpora import Lines, Tagged, register_corpus
from zoo.data.corpora.conllu_file import conllu_file, treebank_names


@register_corpus(
    "ud_atis",
    gives=Tagged,
    files={
        "train": treebank_names("train", "en_atis"),
        "validation": treebank_names("dev", "en_atis"),
        "test": treebank_names("test", "en_atis"),
    },
    keep_blank=True,
    origin="github.com/UniversalDependencies/UD_English-Atis",
)
def ud_atis(lines: Lines, *, tag_column: str) -> Iterator[Tagged]:
    """Yields the questions; see `conllu_file` for tag_column."""
    return conllu_file(lines, tag_column=tag_column)
