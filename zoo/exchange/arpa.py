r"""ARPA files, the form in which SRILM, KenLM and others keep n-gram models.

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

The first line is ours; other toolkits skip it, as all that stands before \data\. It says how a text
is cut into tokens: into words, lowercase_words or characters.

A probability of 0, as `<s>` has it, is written as -99, and -99 and below is read as 0. Numbers have
as many digits as their float32 needs. Tokens of a character vocabulary that are white space are
written as `<U+0020>`.

Of other toolkits' files everything is read that has one meaning: blank lines, a byte-order mark,
orders without n-grams behind the others, back-off weights at the highest order (they are never
used), and `<UNK>`, `<S>` and `</S>` in capitals.
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
    """Writes a model; an existing file is replaced once the new one is whole.

    `read_arpa` gives back the same numbers, bit by bit, and the same vocabulary.

    Args:
        path: ends with .arpa or .arpa.gz.
        params: of an `NGramLM`.
        vocabulary: of characters or words; subwords may hold spaces, which the form can't.

    Raises:
        UserError: the name, the vocabulary or the place won't do.
    """
    if not os.fspath(path).endswith(ARPA_WRITTEN_SUFFIXES):
        raise UserError(f"{path} doesn't end with {' or '.join(ARPA_WRITTEN_SUFFIXES)}; name it so")
    if vocabulary.kind not in KINDS:
        raise UserError(
            f"the model is one of {vocabulary.kind}s, whose spaces an ARPA file can't hold; "
            f"use a vocabulary of kind {' or '.join(KINDS)}"
        )
    if len(params) > MAX_ORDER:
        raise UserError(
            f"the model's n-grams have {len(params)} tokens, but an ARPA file of at most "
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
    """A text file to write to."""
    if compressed:
        return gzip.open(path, "wt", compresslevel=6, encoding="utf-8", newline="\n")
    return path.open("w", encoding="utf-8", newline="\n")


def read_arpa(path: os.PathLike[str] | str) -> ArpaModel:
    """Reads a model.

    Tokens get the numbers of a vocabulary of ours: the three special ones first, the others in the
    order of the file. Where the file does not say its kind of vocabulary, it is one of characters
    if all other tokens are single characters, else one of words. Blanks of Unicode inside a word
    are written as in `<U+00A0>`, since no text is cut into words with blanks.

    Args:
        path: the file; plain, gzipped or packed by bzip2, which its first bytes say.

    Raises:
        UserError: the file can't be read, or a line of it, whose number is told, is not as it
            should be.

    Warns:
        ArpaWarning: the file has no `<unk>`, or its kind of vocabulary had to be guessed.
    """
    with open_lines(path) as lines:
        return ArpaReader(lines).read()
