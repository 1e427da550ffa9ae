r"""ARPA files, the form of n-gram models in SRILM, KenLM and other toolkits.

    # zoo: vocabulary=word
    \data\
    ngram 1=4
    ngram 2=2

    \1-grams:
    -99     <s>     -0.30103            log10 p(w | h), the n-gram, log10 back-off weight
    -0.5    the     -0.1                (tabs between them; a weight of 0 may be left out)
    ...
    \2-grams:
    -0.2    <s> the
    ...
    \end\

The first line is our own. Other toolkits skip it, like all lines before \data\. Our line gives
the kind of vocabulary: word, lowercase_word or character.

A probability of 0, which `<s>` has, is written as -99. When a file is read, -99 and below mean 0.
Numbers have all digits that their float32 needs. White space in a vocabulary of characters is
written as its code point, such as `<U+0020>`.

Files of other toolkits may have blank lines, a byte-order mark, orders without n-grams after the
others, back-off weights at the highest order (which are never used), and `<UNK>`, `<S>` and `</S>`
in capitals.
"""

import gzip
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np

from zoo.data.vocabulary import Vocabulary
from zoo.errors import UserError
from zoo.exchange import ARPA_WRITTEN_SUFFIXES
from zoo.exchange.arpa_form import KIND_LINE, KINDS, escape_blanks, log10
from zoo.exchange.arpa_lines import open_lines
from zoo.exchange.arpa_reader import ArpaModel, ArpaReader
from zoo.models.ngram_lm import MAX_ORDER, Params
from zoo.whole_characters import require_whole_characters
from zoo.whole_file import whole_file


def write_arpa(path: os.PathLike[str] | str, params: Params, vocabulary: Vocabulary) -> None:
    """Writes a model; an existing file is replaced when the new file is complete.

    `read_arpa` returns the same numbers, bit for bit, and the same vocabulary.

    Args:
        path: the file, whose name ends with .arpa or .arpa.gz.
        params: the parameters of an `NGramLM`.
        vocabulary: a vocabulary of characters or words. Subwords may have spaces, which the form
            does not allow.

    Raises:
        UserError: the name or the vocabulary is not allowed, or the file cannot be written.
    """
    if not os.fspath(path).endswith(ARPA_WRITTEN_SUFFIXES):
        raise UserError(
            f"{path} must end with {' or '.join(ARPA_WRITTEN_SUFFIXES)}; choose such a name"
        )
    if vocabulary.kind not in KINDS:
        raise UserError(
            f"the model has a vocabulary of {vocabulary.kind}s, whose spaces an ARPA file cannot "
            f"store; use a vocabulary of kind {' or '.join(KINDS)}"
        )
    if len(params) > MAX_ORDER:
        raise UserError(
            f"the model's n-grams have {len(params)} tokens, but only an ARPA file of at most "
            f"{MAX_ORDER} can be read again; train with a smaller model.order"
        )
    compressed = os.fspath(path).endswith(".gz")
    for token in vocabulary.tokens:
        require_whole_characters(token, f"the token {token!a} of the vocabulary")
    with whole_file(path) as incomplete, _open(incomplete, compressed=compressed) as file:
        file.write(f"{KIND_LINE}{vocabulary.kind}\n")
        file.writelines(_lines(params, [escape_blanks(token) for token in vocabulary.tokens]))


def _lines(params: Params, tokens: list[str]) -> Iterator[str]:
    tables = [params[f"order_{n + 1}"] for n in range(len(params))]
    yield "\\data\\\n"
    for index, table in enumerate(tables):
        yield f"ngram {index + 1}={len(table['log_prob'])}\n"
    texts = tokens
    for index, table in enumerate(tables):
        yield f"\n\\{index + 1}-grams:\n"
        if index:
            num_children = np.diff(tables[index - 1]["first_child"]).tolist()
            parents = itertools.chain.from_iterable(map(itertools.repeat, texts, num_children))
            words = map(tokens.__getitem__, np.asarray(table["word"]).tolist())
            texts = [f"{parent} {word}" for parent, word in zip(parents, words, strict=True)]
        log_probs = log10(table["log_prob"])
        if "log_backoff" in table:
            rows = zip(log_probs, texts, log10(table["log_backoff"]), strict=True)
            yield from (f"{prob:.9g}\t{text}\t{backoff:.9g}\n" for prob, text, backoff in rows)
        else:
            for prob, text in zip(log_probs, texts, strict=True):
                yield f"{prob:.9g}\t{text}\n"
    yield "\n\\end\\\n"


def _open(path: Path, *, compressed: bool) -> TextIO:
    """Returns a text file to write to."""
    if compressed:
        return gzip.open(path, "wt", compresslevel=6, encoding="utf-8", newline="\n")
    return path.open("w", encoding="utf-8", newline="\n")


def read_arpa(path: os.PathLike[str] | str) -> ArpaModel:
    """Reads a model.

    Tokens get ids as in every vocabulary: the three special tokens come first, the others follow in
    the order of the file. If the file does not give its kind of vocabulary, the kind is "character"
    if all ordinary tokens are single characters, otherwise "word". A Unicode blank inside a word is
    written as its code point, such as `<U+00A0>`, because words of a text have no blanks.

    Args:
        path: the file: plain, gzipped or packed by bzip2, which its first bytes show.

    Raises:
        UserError: the file cannot be read, or a line has a fault. The error gives its number.

    Warns:
        ArpaWarning: the file has no `<unk>`, its longest n-grams have back-off weights, which are
            not used, or its words are single characters, so that it is read as a model of them.
    """
    with open_lines(path) as lines:
        return ArpaReader(lines).read()
