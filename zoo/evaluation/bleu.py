"""BLEU and chrF by sacrebleu, an optional package, so that figures can be compared."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from zoo.errors import UserError


class TextScores(NamedTuple):
    """Scores of translations against one reference each, from 0 to 100.

    Attributes:
        bleu: BLEU (Papineni et al. 2002) with sacrebleu's standard tokeniser (Post 2018).
        bleu_lowercase: BLEU of the lower-cased texts.
        chrf: chrF2 (Popovic 2015).
        signature: sacrebleu's record of how it computed BLEU.
    """

    bleu: float
    bleu_lowercase: float
    chrf: float
    signature: str


def score_texts(translations: Sequence[str], references: Sequence[str]) -> TextScores:
    """Returns the scores of a corpus of translations.

    Args:
        translations: N texts.
        references: N texts.

    Raises:
        UserError: if sacrebleu is not installed.

    Example:
        >>> scores = score_texts(["The old dog sleeps here ."], ["the old dog sleeps here ."])
        >>> round(scores.bleu, 1), round(scores.bleu_lowercase, 1)
        (76.0, 100.0)
    """
    sacrebleu = import_sacrebleu()
    wanted = [list(references)]  # force: words separated by spaces are no mistake here
    bleu, lowercase = sacrebleu.BLEU(force=True), sacrebleu.BLEU(lowercase=True, force=True)
    score = bleu.corpus_score(translations, wanted).score
    return TextScores(
        score,
        lowercase.corpus_score(translations, wanted).score,
        sacrebleu.CHRF().corpus_score(translations, wanted).score,
        str(bleu.get_signature()),
    )


def count_ngrams(translations: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """Counts the n-grams of N translations, from whose sums BLEU is computed.

    Returns:
        float64[N, 10]: the n-grams that match the reference's, for n = 1 to 4; then all n-grams of
        the translation; then the lengths of the translation and of the reference.

    Raises:
        UserError: if sacrebleu is not installed.
    """
    bleu = import_sacrebleu().BLEU(force=True, effective_order=True)  # the counts are the same
    rows = []
    for translation, reference in zip(translations, references, strict=True):
        score = bleu.sentence_score(translation, [reference])
        rows.append([*score.counts, *score.totals, score.sys_len, score.ref_len])
    return np.array(rows, np.float64)


def bleu_of_sums(sums: np.ndarray) -> np.ndarray:
    """Returns BLEU from 0 to 100 as sacrebleu computes it, with smoothing of unmatched n-grams.

        BLEU = 100 min(1, exp(1 - r/c)) (prod_n p_n)^(1/4)

    For the k-th order without any match, p_n = 1 / (2^k times the number of n-grams) (Chen and
    Cherry 2014, method 3). Without 4-grams, or without any match, BLEU is 0.

    Args:
        sums: float64[S, 10], sums over rows of `count_ngrams`.

    Returns:
        float64[S].

    Example:
        >>> texts = ["the dog sleeps in the sun"], ["the old dog sleeps in the sun"]
        >>> bool(np.isclose(bleu_of_sums(count_ngrams(*texts))[0], score_texts(*texts).bleu))
        True
    """
    right, total, length, wanted = sums[:, :4], sums[:, 4:8], sums[:, 8], sums[:, 9]
    misses = np.cumsum(right == 0, axis=1)
    smoothed = np.where(right == 0, 0.5**misses, right) / np.maximum(total, 1)
    means = np.exp(np.log(smoothed).mean(axis=1))
    penalty = np.exp(np.minimum(0, 1 - wanted / np.maximum(length, 1)))
    is_zero = (right.sum(axis=1) == 0) | (total == 0).any(axis=1)
    return np.where(is_zero, 0, 100 * penalty * means)


def import_sacrebleu() -> Any:
    """Returns the sacrebleu package; raises a UserError if it is not installed."""
    try:
        import sacrebleu
    except ImportError as error:
        raise UserError(
            "BLEU needs sacrebleu, which is not installed; "
            'type: pip install "recurrent-zoo[translation]"'
        ) from error
    return sacrebleu
