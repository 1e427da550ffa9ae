r"""ARPA files, the form in which SRILM, KenLM and others keep n-gram models; plain or gzipped.

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

A probability of 0, as `<s>` has it, is written as -99, and -99 and below is read as 0. Tokens of a
character vocabulary that are white space are written as `<U+0020>`.

Axes: G n-grams of one order, m their length.
"""

import gzip
import itertools
import math
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from zoo.data.vocabulary import CharacterVocabulary, Vocabulary, WordVocabulary
from zoo.errors import UserError
from zoo.exchange import ARPA_SUFFIXES
from zoo.models.ngram_lm import ABSENT, Level, Params, find_child
from zoo.special_tokens import SPECIAL_TOKENS, START_ID
from zoo.whole_file import whole_file

LOG10_ZERO = -99.0
_CHUNK_LINES = 50_000


class ArpaModel(NamedTuple):
    """What an ARPA file holds: the parameters of an `NGramLM`, its order and its vocabulary."""

    params: Params
    order: int
    vocabulary: Vocabulary


def write_arpa(path: os.PathLike[str] | str, params: Params, vocabulary: Vocabulary) -> None:
    """Writes a model; an existing file is replaced once the new one is whole.

    Args:
        path: ends with .arpa or .arpa.gz.
        params: of an `NGramLM`.
        vocabulary: of characters or words; subwords may hold spaces, which the form can't.

    Raises:
        UserError: the name, the vocabulary or the place won't do.
    """
    if not os.fspath(path).endswith(ARPA_SUFFIXES):
        raise UserError(f"{path} doesn't end with {' or '.join(ARPA_SUFFIXES)}; name it so")
    if vocabulary.kind not in (CharacterVocabulary.kind, WordVocabulary.kind):
        raise UserError(
            f"the model is one of {vocabulary.kind}s, whose spaces an ARPA file can't hold; "
            "use a vocabulary of words or characters"
        )
    compressed = os.fspath(path).endswith(".gz")
    with whole_file(path) as incomplete, _open(incomplete, "wt", compressed=compressed) as file:
        file.writelines(_lines(params, [_write_token(token) for token in vocabulary.tokens]))


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
        log_probs = _log10(table["log_prob"])
        if "log_backoff" in table:
            rows = zip(log_probs, texts, _log10(table["log_backoff"]), strict=True)
            yield from (f"{prob:.7g}\t{text}\t{backoff:.7g}\n" for prob, text, backoff in rows)
        else:
            for prob, text in zip(log_probs, texts, strict=True):
                yield f"{prob:.7g}\t{text}\n"
    yield "\n\\end\\\n"


def _log10(natural: Any) -> list[float]:
    return np.maximum(np.asarray(natural, np.float64) / math.log(10), LOG10_ZERO).tolist()


def read_arpa(path: os.PathLike[str] | str) -> ArpaModel:
    """Reads a model.

    Tokens get the numbers of a vocabulary of ours: the three special ones first, the others in the
    order of the file. Where all others are single characters, it is a vocabulary of characters.

    Args:
        path: the file, gzipped or not.

    Raises:
        UserError: the file can't be read, or a line of it, whose number is told, is not as it
            should be.
    """
    source = Path(path).expanduser()
    try:
        with source.open("rb") as raw:
            compressed = raw.read(2) == b"\x1f\x8b"
        with _open(source, "rt", compressed=compressed) as file:
            return _Reader(str(path), file).read()
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8: {error.reason}; save it as UTF-8") from error
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot read {path}: {reason}; copy it again") from error


class _Reader:
    """One pass over the lines of a file; `number` is that of the line at hand."""

    def __init__(self, path: str, file: IO[str]):
        self.path, self.file, self.number = path, file, 0

    def read(self) -> ArpaModel:
        counts = self._read_counts()
        params: Params = {}
        vocabulary: Any = None
        ids: dict[str, int] = {}
        for order, count in enumerate(counts, 1):
            self._expect(f"\\{order}-grams:")
            longest = order == len(counts)
            if order == 1:
                vocabulary, params["order_1"] = self._read_words(count, longest)
                ids = {_write_token(token): i for i, token in enumerate(vocabulary.tokens)}
            else:
                self._read_order(params, order, count, ids, longest)
        self._expect("\\end\\")
        return ArpaModel(params, len(counts), vocabulary)

    def fail(self, message: str, number: int | None = None) -> UserError:
        line = self.number if number is None else number
        return UserError(
            f"{self.path}: line {line}: {message}; is the file whole, and in ARPA form?"
        )

    def _next(self) -> str:
        """The next line that is not blank."""
        for line in self.file:
            self.number += 1
            if line := line.strip():
                return line
        raise self.fail("the file ends here, before \\end\\")

    def _expect(self, wanted: str) -> None:
        if (line := self._next()) != wanted:
            raise self.fail(f"expected {wanted}, found {line[:60]!r}")

    def _read_counts(self) -> list[int]:
        while self._next() != "\\data\\":  # SRILM allows text before it
            pass
        counts: list[int] = []
        while True:
            line = self.file.readline()
            self.number += 1
            if not line.strip() and counts:
                return counts
            name, _, value = line.strip().partition("=")
            if name.split() != ["ngram", str(len(counts) + 1)] or not value.strip().isdigit():
                raise self.fail(f"expected ngram {len(counts) + 1}=COUNT, found {line.strip()!r}")
            counts.append(int(value))

    def _read_words(self, count: int, longest: bool) -> tuple[Vocabulary, Level]:
        rows = [row for chunk in self._rows(count, 1, longest) for row in chunk]
        numbers = np.array([row[0] for row in rows])
        words = [row[1] for row in rows]
        if len(set(words)) < count:
            raise self.fail("a token stands twice among the 1-grams")
        ordinary = [word for word in words if word not in SPECIAL_TOKENS]
        characters = [_read_token(word) for word in ordinary]
        vocabulary: Vocabulary
        if all(len(character) == 1 for character in characters):
            vocabulary = CharacterVocabulary([*SPECIAL_TOKENS, *characters])
        else:
            vocabulary = WordVocabulary([*SPECIAL_TOKENS, *ordinary])
        ids = {token: i for i, token in enumerate([*SPECIAL_TOKENS, *ordinary])}
        place = np.array([ids[word] for word in words])
        log_prob = np.full(len(vocabulary), -np.inf, np.float32)  # of special tokens left out
        log_backoff = np.zeros(len(vocabulary), np.float32)
        log_prob[place], log_backoff[place] = _natural(numbers), _natural([row[2] for row in rows])
        log_prob[START_ID] = -np.inf  # KenLM writes 0, though it is never predicted
        level: Level = {"log_prob": log_prob}
        return vocabulary, level if longest else level | {"log_backoff": log_backoff}

    def _read_order(
        self, params: Params, order: int, count: int, ids: dict[str, int], longest: bool
    ) -> None:
        """Adds the n-grams of an order, and to those one shorter where their children begin."""
        first_line = self.number + 1
        grams, numbers, weights = [], [], []
        for chunk in self._rows(count, order, longest):
            start = self.number - len(chunk) + 1
            for index, (number, text, weight) in enumerate(chunk):
                try:
                    grams.append([ids[word] for word in text.split()])
                except KeyError as error:
                    raise self.fail(
                        f"{error.args[0]!r} is not among the 1-grams", start + index
                    ) from None
                numbers.append(number)
                weights.append(weight)
        words = np.array(grams, np.int64).reshape(count, order)
        parent = self._parents(params, words, first_line)
        key = parent.astype(np.int64) * len(ids) + words[:, -1]
        ranks = np.argsort(key, kind="stable")
        twice = np.flatnonzero(np.diff(key[ranks]) == 0)
        if len(twice):
            raise self.fail("the n-gram stands there twice", first_line + int(ranks[twice[0] + 1]))
        shorter = params[f"order_{order - 1}"]
        num_children = np.bincount(parent, minlength=len(shorter["log_prob"]))
        shorter["first_child"] = np.concatenate([[0], num_children.cumsum()]).astype(np.int32)
        level: Level = {
            "word": words[ranks, -1].astype(np.int32),
            "log_prob": _natural(np.array(numbers)[ranks]),
        }
        if not longest:
            level["log_backoff"] = _natural(np.array(weights)[ranks])
        params[f"order_{order}"] = level

    def _parents(self, params: Params, words: np.ndarray, first_line: int) -> np.ndarray:
        """The entry of each n-gram's first n - 1 words."""
        entry = words[:, 0]
        for position in range(1, words.shape[1] - 1):
            level, longer = params[f"order_{position}"], params[f"order_{position + 1}"]
            entry = find_child(np, level, longer, entry, words[:, position])
        missing = np.flatnonzero(entry == ABSENT)
        if len(missing):
            raise self.fail(
                "its first words are not among the shorter n-grams", first_line + int(missing[0])
            )
        return entry

    def _rows(
        self, count: int, order: int, longest: bool
    ) -> Iterator[list[tuple[float, str, float]]]:
        """The n-grams of a section, some thousand at a time: log10 p, tokens, log10 weight."""
        for start in range(0, count, _CHUNK_LINES):
            size = min(_CHUNK_LINES, count - start)
            chunk = [self._row(line, order, longest) for line in self._take(size)]
            if len(chunk) < size:
                raise self.fail("the file ends here, in the middle of its n-grams")
            yield chunk

    def _take(self, size: int) -> Iterable[str]:
        for line in itertools.islice(self.file, size):
            self.number += 1
            yield line

    def _row(self, line: str, order: int, longest: bool) -> tuple[float, str, float]:
        number, *words = line.split() or [""]
        weight = "0"
        if len(words) == order + 1 and not longest:
            weight = words.pop()
        if len(words) != order:
            raise self.fail(f"expected a number and {order} tokens, found {line.strip()!r}")
        try:
            values = float(number), float(weight)
        except ValueError:
            raise self.fail(f"expected numbers, found {number!r} and {weight!r}") from None
        if not values[0] <= 0 or math.isnan(values[1]):
            raise self.fail(f"{number} is no log10 of a probability, or {weight} no number")
        return values[0], " ".join(words), values[1]


def _natural(log10: Any) -> np.ndarray:
    log10 = np.asarray(log10, np.float64)
    return np.where(log10 <= LOG10_ZERO, -np.inf, log10 * math.log(10)).astype(np.float32)


def _write_token(token: str) -> str:
    return f"<U+{ord(token):04X}>" if token.isspace() else token


def _read_token(token: str) -> str:
    """A character as it was before `_write_token`; anything else as it is."""
    if token.startswith("<U+") and token.endswith(">"):
        try:
            return chr(int(token[3:-1], 16))
        except (ValueError, OverflowError):
            return token
    return token


def _open(path: Path, mode: str, *, compressed: bool) -> IO[str]:
    """A text file; mode "rt" or "wt"."""
    if compressed:
        return gzip.open(  # type: ignore[return-value]  # text, since mode ends with t
            path, mode, compresslevel=6, encoding="utf-8", newline="\n"
        )
    return path.open(mode, encoding="utf-8", newline="\n")
