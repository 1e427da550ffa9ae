"""Learning subwords: byte-pair encoding by sentencepiece, which is an extra."""

import io
from collections.abc import Iterable
from typing import Any

from zoo.errors import UserError
from zoo.special_tokens import END, END_ID, START, START_ID, UNKNOWN, UNKNOWN_ID


def train_subwords(lines: Iterable[str], max_size: int) -> bytes:
    """Learn a model of at most `max_size` pieces, serialized; the same lines give the same model.

    Raises:
      UserError: the lines don't give so many.
    """
    writer = io.BytesIO()
    try:
        import_sentencepiece().SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
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
            # No line holds a newline, so text that spells <unk> is learned as any other text.
            unk_piece=UNKNOWN + "\n",
            bos_piece=START + "\n",
            eos_piece=END + "\n",
            max_sentence_length=2**30,  # bytes; longer lines are left out without a word
            num_threads=1,
            minloglevel=2,  # errors only
        )
    except RuntimeError as error:
        reason = str(error).rpartition("] ")[2].strip(" .") or "the text is empty"
        advice = "change --config.data.vocabulary_size"
        raise UserError(f"no {max_size} subwords: {reason}; {advice}") from error
    return writer.getvalue()


def import_sentencepiece() -> Any:
    """The sentencepiece package; a UserError where it is not installed."""
    try:
        import sentencepiece
    except ImportError as error:
        raise UserError(
            "a subword vocabulary needs sentencepiece, which is not installed; "
            'type: pip install "recurrent-zoo[subwords]"'
        ) from error
    return sentencepiece
