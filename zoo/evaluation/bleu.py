"""BLEU and chrF, computed by sacrebleu, which is an extra, so that figures can be compared."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from zoo.errors import UserError


class TextScores(NamedTuple):
    """Scores of translations against one reference each, from 0 to 100.

    Attributes:
        bleu: BLEU (Papineni et al. 2002) with sacrebleu's standard tokeniser (Post 2018).
        bleu_lowercase: the same of lower-cased texts.
        chrf: chrF2 (Popovic 2015).
        signature: what sacrebleu says of how BLEU was computed.
    """

    bleu: float
    bleu_lowercase: float
    chrf: float
    signature: str


def score_texts(translations: Sequence[str], references: Sequence[str]) -> TextScores:
    """Scores of a corpus of translations.

    Args:
        translations: N texts.
        references: N texts.

    Raises:
        UserError: sacrebleu is not installed.

    Example:
        >>> scores = score_texts(["The old dog sleeps here ."], ["the old dog sleeps here ."])
        >>> round(scores.bleu, 1), round(scores.bleu_lowercase, 1)
        (76.0, 100.0)
    """
    sacrebleu = import_sacrebleu()
    wanted = [list(references)]  # force: texts of separated words are no mistake here
    bleu, lowercase = sacrebleu.BLEU(force=True), sacrebleu.BLEU(lowercase=True, force=True)
    score = bleu.corpus_score(translations, wanted).score
    return TextScores(
        score,
        lowercase.corpus_score(translations, wanted).score,
        sacrebleu.CHRF().corpus_score(translations, wanted).score,
        str(bleu.get_signature()),
    )


def import_sacrebleu() -> Any:
    """The sacrebleu package; a UserError where it is not installed."""
    try:
        import sacrebleu
    except ImportError as error:
        raise UserError(
            "BLEU needs sacrebleu, which is not installed; "
            'type: pip install "recurrent-zoo[translation]"'
        ) from error
    return sacrebleu
