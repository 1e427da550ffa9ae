"""Conversion between text and tokens: the inputs of a prompt, and the text of drawn tokens."""

import re
import warnings
from collections.abc import Iterable, Iterator

from zoo.data.lowercase_words import split_lowercase_words
from zoo.data.vocabulary import (
    CharacterVocabulary,
    LowercaseWordVocabulary,
    Vocabulary,
    WordVocabulary,
)
from zoo.decoding.settings import Stop
from zoo.special_tokens import END_ID, START_ID, UNKNOWN, UNKNOWN_ID


class PromptWarning(UserWarning):
    """A prompt has parts that the vocabulary lacks, so the model reads `<unk>` there."""


def prompt_inputs(vocabulary: Vocabulary, prompt: str) -> list[int]:
    """Returns the inputs of a prompt: for every line `<s>` and the tokens of the line.

    So "a\\nb" gives `<s> a <s> b`, and the empty prompt `<s>`.

    Warns:
        PromptWarning: if the vocabulary lacks characters or words of the prompt.

    Example:
        >>> from zoo.special_tokens import SPECIAL_TOKENS
        >>> prompt_inputs(WordVocabulary([*SPECIAL_TOKENS, "go", "on"]), "go on\\non")
        [1, 3, 4, 1, 4]
    """
    inputs = encode_prompt(vocabulary, prompt)
    unknown = unknown_parts(vocabulary, prompt) if UNKNOWN_ID in inputs else []
    if unknown:
        message = f"the vocabulary lacks {', '.join(map(repr, unknown))} of the prompt"
        warnings.warn(f"{message}; the model reads {UNKNOWN}", PromptWarning, stacklevel=2)
    return inputs


def encode_prompt(vocabulary: Vocabulary, prompt: str) -> list[int]:
    """Returns the inputs of a prompt like `prompt_inputs`, but never warns."""
    return [token for line in prompt.split("\n") for token in (START_ID, *vocabulary.encode(line))]


def unknown_parts(vocabulary: Vocabulary, prompt: str) -> list[str]:
    """Returns the words of a prompt that become `<unk>`, or its characters, each once, in order.

    A word is written as in the prompt, even if the vocabulary holds lower-cased words.

    Example:
        >>> from zoo.special_tokens import SPECIAL_TOKENS
        >>> unknown_parts(LowercaseWordVocabulary([*SPECIAL_TOKENS, "do"]), "Don't, don't!")
        ["n't", ',', '!']
    """
    parts: dict[str, str] = {}  # each part, and its first spelling in the prompt
    for part, written in _parts(vocabulary, prompt):
        parts.setdefault(part, written)
    return [
        written
        for part, written in parts.items()
        if part != UNKNOWN and UNKNOWN_ID in vocabulary.encode(part)
    ]


def _parts(vocabulary: Vocabulary, prompt: str) -> Iterator[tuple[str, str]]:
    """Yields the parts of a prompt, each with its spelling in the prompt."""
    if vocabulary.kind == WordVocabulary.kind:
        yield from ((word, word) for word in prompt.split())
    elif vocabulary.kind == LowercaseWordVocabulary.kind:
        for word in prompt.split():
            for part in split_lowercase_words(word):
                written = re.search(re.escape(part), word, re.IGNORECASE)
                yield part, written.group() if written else part
    else:
        yield from ((character, character) for character in prompt.replace("\n", ""))


def default_stop(vocabulary: Vocabulary) -> Stop:
    """Returns where a text stops by default; see `GenerationSettings.stop`."""
    return "length" if vocabulary.kind == CharacterVocabulary.kind else "end"


class TextStream:
    """The text of one row, piece by piece, while its tokens are drawn.

    A piece cannot be decoded alone, since words are joined by spaces. So the whole current line is
    decoded, and the piece is the part that was not there before.

    Args:
        vocabulary: the vocabulary of the tokens.
        prompt: the text before the first piece.
        stop: "end" ends the text at its first `</s>`, "length" only at max_tokens.
        max_tokens: the largest number of tokens.

    Attributes:
        finished: True once the row has its last token; further tokens give no text.
        num_tokens: the number of tokens in the text so far.

    Example:
        >>> from zoo.special_tokens import SPECIAL_TOKENS
        >>> vocabulary = WordVocabulary([*SPECIAL_TOKENS, "go", "on"])
        >>> stream = TextStream(vocabulary, "go", stop="end", max_tokens=9)
        >>> stream.write([4, 4]), stream.write([4, END_ID, 3]), stream.finished
        (' on on', ' on', True)
    """

    def __init__(self, vocabulary: Vocabulary, prompt: str, *, stop: Stop, max_tokens: int) -> None:
        self.finished = False
        self.num_tokens = 0
        self._vocabulary = vocabulary
        self._stop = stop
        self._max_tokens = max_tokens
        line = prompt.rpartition("\n")[2]
        self._line = vocabulary.encode(line)
        self._num_written = len(vocabulary.decode(self._line))
        joined_by_spaces = isinstance(vocabulary, WordVocabulary)
        if joined_by_spaces and self._line and line[-1].isspace():
            self._num_written += 1  # the prompt already has the space before the next word

    def write(self, tokens: Iterable[int]) -> str:
        """Takes the next tokens of the row, and returns the text that they add."""
        text = ""
        for token in tokens:
            if self.finished:
                break
            self.num_tokens += 1
            self.finished = self.num_tokens == self._max_tokens
            if token != END_ID:
                self._line.append(token)
            elif self._stop == "end":
                self.finished = True
            else:
                text += self._rest_of_line() + "\n"
                self._line, self._num_written = [], 0
        return text + self._rest_of_line()

    def _rest_of_line(self) -> str:
        line = self._vocabulary.decode(self._line)
        text, self._num_written = line[self._num_written :], max(self._num_written, len(line))
        return text
