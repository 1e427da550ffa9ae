"""Learns subwords by byte-pair encoding with sentencepiece, an optional dependency."""

import io
import re
from collections.abc import Iterable
from typing import Any

from zoo.errors import UserError
from zoo.special_tokens import END, END_ID, START, START_ID, UNKNOWN, UNKNOWN_ID
from zoo.whole_characters import require_whole_characters

_MOST_SUBWORDS = 2**31 - 1  # the limit of sentencepiece
# The message of sentencepiece about a size, with the number that it needs, and our message.
_REASONS = (
    (
        re.compile(r"smaller than required_chars\. \d+ vs (\d+)"),
        "its characters and the special tokens are {0} in number; use data.vocabulary_size={0} or "
        "more",
    ),
    (
        re.compile(r"Please set it to a value <= (\d+)"),
        "it has only {0} subwords; use data.vocabulary_size={0} or less",
    ),
)


def train_subwords(lines: Iterable[str], max_size: int) -> bytes:
    """Learns a model of at most `max_size` pieces from lines, and returns it serialized.

    The same lines give the same model.

    Raises:
        UserError: the lines have too few pieces for max_size, or are not valid text.
    """
    if max_size > _MOST_SUBWORDS:
        raise UserError(
            f"vocabulary_size is {max_size}; use at most {_MOST_SUBWORDS}, "
            "such as data.vocabulary_size=1000"
        )
    writer = io.BytesIO()
    try:
        import_sentencepiece().SentencePieceTrainer.train(
            sentence_iterator=map(_checked, lines),
            model_writer=writer,
            model_type="bpe",
            vocab_size=max_size,
            character_coverage=1.0,
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            unk_id=UNKNOWN_ID,
            bos_id=START_ID,
            eos_id=END_ID,
            pad_id=-1,
            # No line has a newline, so text that spells <unk> is learned like any other text.
            unk_piece=UNKNOWN + "\n",
            bos_piece=START + "\n",
            eos_piece=END + "\n",
            max_sentence_length=2**30,  # bytes; sentencepiece silently drops longer lines
            num_threads=1,
            minloglevel=2,  # errors only
        )
    except RuntimeError as error:
        raise UserError(
            f"cannot make {max_size} subwords of this text: {_reason(str(error))}"
        ) from error
    return writer.getvalue()


def _checked(line: str) -> str:
    whole = require_whole_characters(line, "a line of the text")
    return whole.replace("\u2585", "")  # sentencepiece would silently drop the whole line


def _reason(message: str) -> str:
    """Returns the reason why there is no model.

    The advice of sentencepiece is dropped, because it names settings that we do not have.
    """
    for pattern, reason in _REASONS:
        if match := pattern.search(message):
            return reason.format(match[1])
    said = message.rpartition("] ")[2].strip().partition(". ")[0].strip(" .")
    reason = said or "the text is empty"
    return f"{reason}; give another text, or another data.vocabulary_size=N"


def import_sentencepiece() -> Any:
    """Returns the sentencepiece package, or raises a UserError if it is not installed."""
    try:
        import sentencepiece
    except ImportError as error:
        raise UserError(
            "a subword vocabulary needs sentencepiece, which is not installed; "
            'type: pip install "recurrent-zoo[subwords]"'
        ) from error
    return sentencepiece
