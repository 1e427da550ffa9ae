"""Reads ARPA files of any toolkit line by line; arpa.py describes the form.

Axes: G n-grams of one order, m their length.
"""

import re
import warnings
from array import array
from collections.abc import Callable, Container
from typing import NamedTuple

import numpy as np

from zoo.data.vocabulary import CharacterVocabulary, Vocabulary, WordVocabulary
from zoo.errors import UserError
from zoo.exchange.arpa_form import (
    KIND_LINE,
    KINDS,
    LOG10_ZERO,
    escape_blanks,
    natural_logarithm,
    read_character,
)
from zoo.exchange.arpa_lines import MAX_USELESS_LINES, NumberedLines
from zoo.models.ngram_lm import ABSENT, MAX_ORDER, Level, Params, find_child
from zoo.special_tokens import END, SPECIAL_TOKENS, START_ID, UNKNOWN

_LARGEST_WEIGHT = -LOG10_ZERO
_COUNT_DIGITS = 18  # 18 digits fit into an int64
_NUM_SPECIAL = len(SPECIAL_TOKENS)
# The blanks of other toolkits. str.split also splits at Unicode blanks, which words may have.
_FIELD = re.compile(r"[^ \t\r\v\f]+")


class ArpaWarning(UserWarning):
    """A warning that an ARPA file may have been read in another way than the user meant."""


class ArpaModel(NamedTuple):
    """The content of an ARPA file: the parameters of an `NGramLM`, its order and its vocabulary."""

    params: Params
    order: int
    vocabulary: Vocabulary


class _Section(NamedTuple):
    """The numbers of the n-grams of one order, in the order of the file.

    Attributes:
        log_probs: float64[G], log10 of the probabilities.
        log_backoffs: float64[G], log10 of the back-off weights; 0 if a weight is missing.
        lines: int64[G], the line number of each n-gram.
    """

    log_probs: "array[float]"
    log_backoffs: "array[float]"
    lines: "array[int]"


class ArpaReader:
    """A reader that makes one pass over the lines of a file.

    Args:
        lines: the lines, of which none is read yet.
    """

    def __init__(self, lines: NumberedLines):
        self._lines = lines
        self._line = ""  # the line that ended the head or a section
        self._kind: str | None = None  # the kind of vocabulary, if the file gives it
        self._ids: dict[str, int] = {}
        self._notes: list[str] = []

    def read(self) -> ArpaModel:
        """Reads the model.

        Raises:
            UserError: a line has a fault. The error gives its number.

        Warns:
            ArpaWarning: the model may score texts in another way than the user meant.
        """
        counts = self._read_head()
        num_orders = sum(count > 0 for count in counts)
        params: Params = {}
        vocabulary = self._read_words(params, counts[0], longest=num_orders == 1)
        for order, count in enumerate(counts[1:], 2):
            if count:
                self._read_order(params, order, count, longest=order == num_orders)
            elif self._line == _header(order):  # SRILM may omit this section
                self._read_section(order, 0, lambda _: None)
        if self._line != "\\end\\":
            raise self._expected("\\end\\")
        self._lines.finish()
        for note in self._notes:
            warnings.warn(f"{self._lines.path}: {note}", ArpaWarning, stacklevel=2)
        return ArpaModel(params, num_orders, vocabulary)

    def _expected(self, wanted: str) -> UserError:
        return self._lines.fail(f"expected {wanted}, found {_shown(self._line)}")

    def _read_head(self) -> list[int]:
        """Reads the lines before the first section; returns the number of n-grams of each order."""
        # Other lines may come before \\data\\.
        while (line := self._lines.next(before="\\data\\")) != "\\data\\":
            if line.startswith(KIND_LINE):
                self._kind = self._checked_kind(line.removeprefix(KIND_LINE))
            if self._lines.number > MAX_USELESS_LINES:
                raise self._lines.fail(
                    f"there is no \\data\\ in the first {MAX_USELESS_LINES} lines"
                )
        counts: list[int] = []
        while not (line := self._lines.next()).startswith("\\"):
            counts.append(self._count(line, len(counts) + 1))
            if not counts[0]:
                raise self._lines.fail("a model needs words, but the file has ngram 1=0")
            if counts[-1] and not counts[-2:][0]:
                empty = counts.index(0) + 1
                raise self._lines.fail(
                    f"no n-gram can have this length, because the file has ngram {empty}=0"
                )
            if len(counts) > MAX_ORDER:
                raise self._lines.fail(f"n-grams may have at most {MAX_ORDER} tokens")
        self._line = line
        if not counts:
            raise self._expected("ngram 1=COUNT")
        return counts

    def _checked_kind(self, kind: str) -> str:
        if kind not in KINDS:
            raise self._lines.fail(
                f"the vocabulary is {_shown(kind)}",
                advice=f"write one of {', '.join(KINDS)}, or delete the line",
            )
        return kind

    def _count(self, line: str, order: int) -> int:
        name, _, value = line.partition("=")
        value = value.strip()
        known = name.split() == ["ngram", str(order)] and value.isascii() and value.isdigit()
        if not known or len(value) > _COUNT_DIGITS:
            raise self._lines.fail(f"expected ngram {order}=COUNT, found {_shown(line)}")
        return int(value)

    def _read_section(self, order: int, count: int, take: Callable[[list[str]], None]) -> _Section:
        """Reads the n-grams of an order, up to the first line of the next section.

        Args:
            order: m.
            count: G, the number in the head of the file.
            take: a function that is called with the m tokens of each n-gram.
        """
        if self._line != _header(order):
            raise self._expected(_header(order))
        section = _Section(array("d"), array("d"), array("q"))
        while not (line := self._lines.next()).startswith("\\"):
            if len(section.lines) == count:
                raise self._lines.fail(f"there are more {order}-grams than ngram {order}={count}")
            log_prob, log_backoff, words = self._read_row(line, order)
            section.log_probs.append(log_prob)
            section.log_backoffs.append(log_backoff)
            section.lines.append(self._lines.number)
            take(words)
        if len(section.lines) < count:
            raise self._lines.fail(
                f"expected ngram {order}={count}, found {len(section.lines)} {order}-grams"
            )
        self._line = line
        return section

    def _read_row(self, line: str, order: int) -> tuple[float, float, list[str]]:
        """Returns a probability, a back-off weight, both log10, and the tokens of one n-gram."""
        fields = (line.split() if line.isascii() else _FIELD.findall(line)) or [""]
        number, weight = fields[0], "0"
        if len(fields) == order + 2:  # the highest order may have weights, which are not used
            weight = fields.pop()
        if len(fields) != order + 1:
            raise self._lines.fail(f"expected a number and {order} tokens, found {_shown(line)}")
        try:
            log_prob, log_backoff = float(number), float(weight)
        except ValueError:
            raise self._lines.fail(
                f"expected numbers, found {_shown(number)} and {_shown(weight)}"
            ) from None
        if not log_prob <= 0:
            raise self._lines.fail(f"{_shown(number)} is no log10 of a probability")
        if not log_backoff < _LARGEST_WEIGHT:
            raise self._lines.fail(f"{_shown(weight)} is no log10 of a back-off weight")
        return log_prob, log_backoff, fields[1:]

    def _read_words(self, params: Params, count: int, *, longest: bool) -> Vocabulary:
        """Adds the 1-grams to the parameters, and returns the vocabulary."""
        words: list[str] = []
        section = self._read_section(1, count, words.extend)
        vocabulary = self._number_words(words, section)
        places = np.array([self._ids[word] for word in words])
        log_prob = np.full(len(vocabulary), -np.inf, np.float32)  # missing special tokens keep this
        log_prob[places] = natural_logarithm(section.log_probs)
        log_prob[START_ID] = -np.inf  # KenLM writes 0, although <s> is never predicted
        level: Level = {"log_prob": log_prob}
        if longest:
            self._tell_unused(section)
        else:
            level["log_backoff"] = np.zeros(len(vocabulary), np.float32)
            level["log_backoff"][places] = natural_logarithm(section.log_backoffs)
        params["order_1"] = level
        return vocabulary

    def _number_words(self, words: list[str], section: _Section) -> Vocabulary:
        """Gives the words their ids: the special tokens, then the others in the file's order."""
        special = _special_words(set(words))
        rows = [row for row, word in enumerate(words) if word not in special]
        kind, names = self._names(
            [words[row] for row in rows], [section.lines[row] for row in rows]
        )
        tokens = [SPECIAL_TOKENS[special.get(word, 0)] for word in words]
        for row, name in zip(rows, names, strict=True):
            tokens[row] = name
        first: dict[str, int] = {}
        firsts = [first.setdefault(token, row) for row, token in enumerate(tokens)]
        self._refuse_twice(np.array(firsts), section, "the token")
        self._check_special(first, section)
        self._ids = special | {words[row]: _NUM_SPECIAL + i for i, row in enumerate(rows)}
        return KINDS[kind]([*SPECIAL_TOKENS, *names])

    def _tell_unused(self, section: _Section) -> None:
        if any(section.log_backoffs):
            self._notes.append("the longest n-grams have back-off weights, which are not used")

    def _check_special(self, found: Container[str], section: _Section) -> None:
        if END not in found:
            raise self._lines.fail(
                f"there is no {END} among the 1-grams, so that no sentence has a probability",
                section.lines[-1],
                advice="train the model on sentences with their ends",
            )
        if UNKNOWN not in found:
            self._notes.append(f"there is no {UNKNOWN}, so a word that it lacks has probability 0")

    def _names(self, words: list[str], lines: list[int]) -> tuple[str, list[str]]:
        """Returns the kind of vocabulary, and the tokens of the ordinary words at these lines."""
        characters = [read_character(word) for word in words]
        single = bool(words) and all(len(character) == 1 for character in characters)
        if self._kind is None and single and characters == words:
            self._notes.append(
                "all words have one character, so a text is read character by character; for "
                f"words put the line '{KIND_LINE}{WordVocabulary.kind}' before \\data\\"
            )
        kind = self._kind or (CharacterVocabulary.kind if single else WordVocabulary.kind)
        if kind != CharacterVocabulary.kind:
            return kind, [escape_blanks(word) for word in words]
        for character, line in zip(characters, lines, strict=True):
            if len(character) != 1:
                raise self._lines.fail(
                    f"{_shown(character)} is not a character, but the vocabulary has characters",
                    line,
                    advice=f"delete the line {KIND_LINE}{kind}",
                )
        return kind, characters

    def _read_order(self, params: Params, order: int, count: int, *, longest: bool) -> None:
        """Adds the n-grams of an order, and the starts of children to the order below."""
        grams = array("i")

        def take(words: list[str]) -> None:
            try:
                grams.extend([self._ids[word] for word in words])
            except KeyError as error:
                absent = _shown(error.args[0])
                raise self._lines.fail(f"{absent} is not among the 1-grams") from None

        section = self._read_section(order, count, take)
        words = np.frombuffer(grams, np.int32).reshape(count, order)
        parent = self._parents(params, words, section)
        key = parent.astype(np.int64) * len(params["order_1"]["log_prob"]) + words[:, -1]
        self._refuse_twice(key, section, "the n-gram")
        ranks = np.argsort(key, kind="stable")
        shorter = params[f"order_{order - 1}"]
        num_children = np.bincount(parent, minlength=len(shorter["log_prob"]))
        shorter["first_child"] = np.concatenate([[0], num_children.cumsum()]).astype(np.int32)
        level: Level = {
            "word": words[ranks, -1].astype(np.int32),
            "log_prob": natural_logarithm(section.log_probs)[ranks],
        }
        if longest:
            self._tell_unused(section)
        else:
            level["log_backoff"] = natural_logarithm(section.log_backoffs)[ranks]
        params[f"order_{order}"] = level

    def _parents(self, params: Params, words: np.ndarray, section: _Section) -> np.ndarray:
        """Returns the entry of the first n - 1 words of each n-gram."""
        entry = words[:, 0]
        for position in range(1, words.shape[1] - 1):
            level, longer = params[f"order_{position}"], params[f"order_{position + 1}"]
            entry = find_child(np, level, longer, entry, words[:, position])
        missing = np.flatnonzero(entry == ABSENT)
        if len(missing):
            raise self._lines.fail(
                "its first words are not among the shorter n-grams", section.lines[missing[0]]
            )
        return entry

    def _refuse_twice(self, keys: np.ndarray, section: _Section, what: str) -> None:
        """Raises a UserError for the first row with the key of an earlier row."""
        ranks = np.argsort(keys, kind="stable")
        again = ranks[1:][np.diff(keys[ranks]) == 0]
        if len(again):
            raise self._lines.fail(f"{what} occurs twice", section.lines[int(again.min())])


def _header(order: int) -> str:
    return f"\\{order}-grams:"


def _shown(text: str) -> str:
    """Returns a text of a file for a message, shortened and with escaped control characters."""
    return repr(text[:60])


def _special_words(words: set[str]) -> dict[str, int]:
    """Returns the ids of the special tokens; <UNK> counts as <unk> if <unk> is missing."""
    special = {token: index for index, token in enumerate(SPECIAL_TOKENS)}
    capitals = {
        token.upper(): index
        for token, index in special.items()
        if token not in words and token.upper() in words
    }
    return special | capitals
