"""Vocabularies, which turn text into token ids and back: characters, words or subwords."""

import abc
import base64
import collections
import difflib
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

import numpy as np

from zoo.data.frequent import frequent_tokens
from zoo.data.lowercase_words import split_lowercase_words
from zoo.data.subwords import import_sentencepiece, train_subwords
from zoo.errors import UserError
from zoo.special_tokens import END_ID, SPECIAL_IDS, SPECIAL_TOKENS, START_ID, UNKNOWN_ID
from zoo.types import Json
from zoo.whole_characters import require_whole_characters

_NUM_CODE_POINTS = 0x110000  # Unicode ends at U+10FFFF


class Vocabulary(abc.ABC):
    """The tokens of a model with their ids: three special tokens, then the ordinary tokens.

    Id 0 is `<unk>` (unknown), id 1 `<s>` (before a line), id 2 `</s>` (after a line). The index of
    a token in `tokens` is its id.
    """

    kind: ClassVar[str]
    tokens: list[str]
    _separator: ClassVar[str] = ""  # the text between two tokens of a line

    def __len__(self) -> int:
        return len(self.tokens)

    @abc.abstractmethod
    def encode(self, line: str) -> list[int]:
        """Returns the ids of the tokens of a line, without `<s>` and `</s>`.

        Args:
            line: text without a newline.

        Returns:
            The id of each token; an unknown token is `UNKNOWN_ID`.
        """

    @abc.abstractmethod
    def to_json(self) -> Json:
        """Returns a record of plain JSON types that `vocabulary_from_json` reads back."""

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Returns the text of token ids; `</s>` becomes a newline, and `<s>` is dropped.

        Args:
            ids: int[N] ids, as a list or an array.

        Returns:
            The text. A word vocabulary joins the words of a line with single spaces.
        """
        lines: list[list[str]] = [[]]
        for token_id in np.asarray(ids, dtype=np.int64).tolist():
            if token_id == END_ID:
                lines.append([])
            elif token_id != START_ID:
                lines[-1].append(self.tokens[token_id])
        return "\n".join(self._separator.join(tokens) for tokens in lines)

    def _encode_stream(self, lines: Iterable[str]) -> np.ndarray:
        stream: list[int] = []
        for line in lines:
            stream.extend(self.encode(line))
            stream.append(END_ID)
        return np.array(stream, dtype=np.int32)


class _TableVocabulary(Vocabulary):
    """A vocabulary that looks up tokens in a table."""

    def __init__(self, tokens: Sequence[str]):
        self.tokens = list(tokens)
        if tuple(self.tokens[: len(SPECIAL_TOKENS)]) != SPECIAL_TOKENS:
            raise _damaged(f"it starts with {self.tokens[:3]}, not {list(SPECIAL_TOKENS)}")
        self._ids = {token: index for index, token in enumerate(self.tokens)}
        if len(self._ids) != len(self.tokens):
            token = collections.Counter(self.tokens).most_common(1)[0][0]
            raise _damaged(f"token {token!r} stands twice in it")
        for token in SPECIAL_TOKENS:
            del self._ids[token]  # text that spells </s> must not end a line
        for token in self._ids:
            if not self._is_token(token):
                raise _damaged(f"{token!r} is no {self.kind}")

    @staticmethod
    @abc.abstractmethod
    def _is_token(token: str) -> bool:
        """Returns whether text can hold this token."""

    def to_json(self) -> Json:
        """Returns a record with the list of tokens."""
        return {"kind": self.kind, "tokens": self.tokens}


class CharacterVocabulary(_TableVocabulary):
    """A vocabulary whose tokens are characters (Unicode code points).

    Example:
        >>> vocabulary = CharacterVocabulary([*SPECIAL_TOKENS, "a", "b"])
        >>> vocabulary.encode("abc")
        [3, 4, 0]
        >>> vocabulary.decode([3, END_ID, 4])
        'a\\nb'
    """

    kind = "character"

    @staticmethod
    def _is_token(token: str) -> bool:
        return len(token) == 1 and token != "\n"

    def encode(self, line: str) -> list[int]:
        """Returns the id of each character."""
        return [self._ids.get(character, UNKNOWN_ID) for character in line]

    @functools.cached_property
    def _id_of_code_point(self) -> np.ndarray:
        table = np.full(_NUM_CODE_POINTS, UNKNOWN_ID, dtype=np.int32)
        for token, index in self._ids.items():
            table[ord(token)] = index
        table[ord("\n")] = END_ID
        return table

    def _encode_stream(self, lines: Iterable[str]) -> np.ndarray:
        text = "".join(f"{line}\n" for line in lines)
        code_points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        return self._id_of_code_point[code_points]


class WordVocabulary(_TableVocabulary):
    """A vocabulary whose tokens are words, which whitespace separates.

    A word `<unk>` in the text, as in the Penn Treebank, is `UNKNOWN_ID`. Words that look like the
    other special tokens are `UNKNOWN_ID` too.

    Example:
        >>> vocabulary = WordVocabulary([*SPECIAL_TOKENS, "the", "cat"])
        >>> vocabulary.encode("the  big cat")
        [3, 0, 4]
        >>> vocabulary.decode([START_ID, 3, 0, 4, END_ID])
        'the <unk> cat\\n'
    """

    kind = "word"
    _separator = " "

    @staticmethod
    def _is_token(token: str) -> bool:
        return token.split() == [token]

    def encode(self, line: str) -> list[int]:
        """Returns the id of each word."""
        find = self._ids.get
        return [find(word, UNKNOWN_ID) for word in line.split()]


class LowercaseWordVocabulary(WordVocabulary):
    """A vocabulary of lower-case words and punctuation marks, for ordinary text.

    `zoo.data.lowercase_words` splits a text into them.

    Example:
        >>> LowercaseWordVocabulary([*SPECIAL_TOKENS, "panic", "!"]).encode("Panic!")
        [3, 4]
    """

    kind = "lowercase_word"

    def encode(self, line: str) -> list[int]:
        """Returns the id of each word or mark."""
        find = self._ids.get
        return [find(word, UNKNOWN_ID) for word in split_lowercase_words(line)]


class SubwordVocabulary(Vocabulary):
    """Pieces of words learned by byte-pair encoding, with sentencepiece.

    Text is not normalised, so decoding the ids of a line of known characters gives the same line,
    with its spaces. The one exception is the character U+2581, which the model uses for a space.

    Byte-pair encoding: Sennrich et al. 2016, "Neural Machine Translation of Rare Words with
    Subword Units"; sentencepiece: Kudo and Richardson 2018.

    Args:
        model: a serialized sentencepiece model with our special tokens.
    """

    kind = "subword"

    def __init__(self, model: bytes):
        if not model:  # sentencepiece would accept it and print a warning at every use
            raise _damaged("the subword model is empty")
        try:
            processor = import_sentencepiece().SentencePieceProcessor(model_proto=model)
        except RuntimeError as error:
            raise _damaged("the subword model is not a model of sentencepiece") from error
        if (processor.unk_id(), processor.bos_id(), processor.eos_id()) != SPECIAL_IDS:
            raise _damaged("the subword model numbers its special tokens differently")
        self._processor, self._model = processor, model
        try:
            pieces = list(map(processor.id_to_piece, range(len(SPECIAL_TOKENS), len(processor))))
        except UnicodeDecodeError as error:
            raise _damaged("a piece of the subword model is not UTF-8") from error
        self.tokens = [*SPECIAL_TOKENS, *(piece.replace("\u2581", " ") for piece in pieces)]

    def encode(self, line: str) -> list[int]:
        """Returns the id of each piece; a run of unknown characters is one `UNKNOWN_ID`."""
        return self._processor.encode(require_whole_characters(line, "the text"))

    def to_json(self) -> Json:
        """Returns a record with the serialized model as base64 text."""
        return {"kind": self.kind, "model": base64.b64encode(self._model).decode("ascii")}


# The kinds whose tokens are counted, each with the function that splits a line into tokens.
_COUNTED_KINDS: dict[str, tuple[type[_TableVocabulary], Callable[[str], Sequence[str]]]] = {
    CharacterVocabulary.kind: (CharacterVocabulary, list),
    WordVocabulary.kind: (WordVocabulary, str.split),
    LowercaseWordVocabulary.kind: (LowercaseWordVocabulary, split_lowercase_words),
}
VOCABULARY_KINDS = (*_COUNTED_KINDS, SubwordVocabulary.kind)


def build_vocabulary(
    kind: str,
    lines: Iterable[str],
    *,
    max_size: int = 0,
    min_count: int = 1,
    more: Iterable[str] = (),
) -> Vocabulary:
    """Builds the vocabulary of a training text.

    Tokens are sorted from the most to the least frequent; equally frequent tokens alphabetically.

    Args:
        kind: "character", "word", "lowercase_word" or "subword".
        lines: the training text.
        max_size: the largest number of tokens, the three special tokens included; 0 means no limit.
            A subword vocabulary needs a limit.
        min_count: the smallest number of occurrences of a token; not for subwords.
        more: tokens that are added after the tokens of the text and do not count for max_size; not
            for subwords. Tokens that no text can be split into are left out.

    Raises:
        UserError: the kind is unknown, or no such vocabulary can be built.

    Example:
        >>> build_vocabulary("word", ["b a b", "c b a"], max_size=5).tokens
        ['<unk>', '<s>', '</s>', 'b', 'a']
    """
    _check_kind(kind)
    lines = [lines] if isinstance(lines, str) else lines
    num_special = len(SPECIAL_TOKENS)
    if max_size and max_size <= num_special:
        raise UserError(
            f"vocabulary_size is {max_size}; use more than {num_special}, or 0 for no limit"
        )
    if kind == SubwordVocabulary.kind:
        if not max_size or min_count > 1:
            raise UserError(
                f"vocabulary_size is {max_size} and min_count {min_count}, but subwords need a "
                "size and no count: data.vocabulary_size=1000 data.min_count=1"
            )
        return SubwordVocabulary(train_subwords(lines, max_size))
    vocabulary, split = _COUNTED_KINDS[kind]
    ordinary = frequent_tokens(lines, split, max_size=max_size, min_count=min_count)
    known = {*SPECIAL_TOKENS, *ordinary}
    ordinary += [
        token for token in dict.fromkeys(more) if token not in known and split(token) == [token]
    ]
    return vocabulary([*SPECIAL_TOKENS, *ordinary])


def vocabulary_from_json(record: Json) -> Vocabulary:
    """Returns the vocabulary from a record that `Vocabulary.to_json` made.

    Args:
        record: the dictionary, read from the JSON of a checkpoint. It is checked, not trusted.

    Raises:
        UserError: the record is damaged.
    """
    kind = record.get("kind") if isinstance(record, dict) else None
    if not isinstance(kind, str):
        raise _damaged(f"it must be a record with a kind, not {str(record)[:60]!r}")
    _check_kind(kind)
    if kind == SubwordVocabulary.kind:
        try:
            model = base64.b64decode(record["model"], validate=True)
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged("the subword model is not base64 text") from error
        return SubwordVocabulary(model)
    tokens = record.get("tokens")
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise _damaged("its tokens are not a list of texts")
    return _COUNTED_KINDS[kind][0](tokens)


def encode_lines(vocabulary: Vocabulary, lines: Iterable[str]) -> np.ndarray:
    """Returns the ids of a text, int32[N]: the tokens of each line, followed by `END_ID`.

    Args:
        vocabulary: the vocabulary.
        lines: the text, without newlines.

    Example:
        >>> encode_lines(CharacterVocabulary([*SPECIAL_TOKENS, "a", "b"]), ["ab", "", "b"])
        array([3, 4, 2, 2, 4, 2], dtype=int32)
    """
    return vocabulary._encode_stream(lines)


def count_unknown(tokens: np.ndarray) -> int:
    """Returns the number of tokens that are `UNKNOWN_ID`."""
    return int(np.count_nonzero(np.asarray(tokens) == UNKNOWN_ID))


def _damaged(reason: str) -> UserError:
    return UserError(f"the vocabulary is damaged: {reason[:200]}; take another checkpoint")


def _check_kind(kind: str) -> None:
    if kind not in VOCABULARY_KINDS:
        near = difflib.get_close_matches(kind, VOCABULARY_KINDS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UserError(f"vocabulary {kind!r} is none of {', '.join(VOCABULARY_KINDS)}{hint}")
