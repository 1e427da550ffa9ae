"""Treebanks of the user in CoNLL-U, the format of Universal Dependencies.

A tag is the universal part of speech of a word (data.tag_column=upos), the part of speech of the
language's own tag set (xpos), or the value of a feature, such as Number. A word without the feature
has the tag "_". Ranges of words (such as 1-2), empty nodes (such as 1.1) and comments are left out.
"""

import re
from collections.abc import Callable, Iterator

from zoo.data.corpora import Lines, Tagged, register_corpus
from zoo.data.token_lines import read_sentences

_NUM_COLUMNS = 10
_COLUMNS = {"upos": 3, "xpos": 4}
_FEATURES = 5
_NONE = "_"


def treebank_names(split: str, *treebanks: str) -> tuple[str, ...]:
    """Returns the names that the file of a split may have.

    Args:
        split: the split's name in Universal Dependencies: "train", "dev" or "test".
        treebanks: the names of treebanks, with which the name of a file may begin.
    """
    return (f"{split}.conllu", *(f"{name}-ud-{split}.conllu" for name in treebanks))


@register_corpus(
    "conllu_file",
    gives=Tagged,
    files={
        "train": treebank_names("train"),
        "validation": (*treebank_names("dev"), "valid.conllu", "validation.conllu"),
        "test": treebank_names("test"),
    },
    optional=("validation", "test"),
    one_file=(".conllu",),
    keep_blank=True,
    origin="any files in CoNLL-U, as on universaldependencies.org; also one file, "
    "data.directory=FILE",
)
def conllu_file(lines: Lines, *, tag_column: str) -> Iterator[Tagged]:
    """Yields the sentences of a treebank."""
    return read_sentences(lines, word_reader(tag_column or "upos"))


def word_reader(tag_column: str) -> Callable[[str], tuple[str, str] | None]:
    """Returns a function that reads the word and the tag of a line.

    Args:
        tag_column: "upos", "xpos" or the name of a feature.

    Example:
        >>> line = "2\\tdogs\\tdog\\tNOUN\\tNNS\\tAnimacy=Anim|Number=Plur\\t0\\troot\\t_\\t_"
        >>> word_reader("upos")(line), word_reader("Number")(line), word_reader("Case")(line)
        (('dogs', 'NOUN'), ('dogs', 'Plur'), ('dogs', '_'))
    """

    def read(line: str) -> tuple[str, str] | None:
        if line.startswith("#"):
            return None
        fields = line.split("\t")
        if len(fields) != _NUM_COLUMNS:
            raise ValueError(
                f"it has {len(fields)} columns ({line[:40]!r}); CoNLL-U has {_NUM_COLUMNS} with "
                "tabs between"
            )
        number, word = fields[:2]
        if not re.fullmatch(r"\d+", number, re.ASCII):
            if re.fullmatch(r"\d+[-.]\d+", number, re.ASCII):
                return None
            raise ValueError(f"it begins with {number[:40]!r}; use the number of a word")
        return word, _tag(fields, tag_column)

    return read


def _tag(fields: list[str], tag_column: str) -> str:
    if tag_column in _COLUMNS:
        return fields[_COLUMNS[tag_column]]
    features = dict(feature.split("=", 1) for feature in _features(fields[_FEATURES]))
    return features.get(tag_column, _NONE)


def _features(field: str) -> list[str]:
    found = [] if field == _NONE else field.split("|")
    if not all("=" in feature for feature in found):
        raise ValueError(f"its features are {field[:40]!r}; use NAME=VALUE, with | between, or _")
    return found
