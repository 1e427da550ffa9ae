"""Modified interpolated Kneser-Ney smoothing (Chen and Goodman 1999, section 4.1, eq. 21-27).

Let h w be an n-gram with history h, last token w and count c, and h' the history without its first
token:

    p(w | h)  = max(c(h w) - D(c(h w)), 0) / c(h .)  +  gamma(h) p(w | h')
    gamma(h)  = (D_1 N_1(h .) + D_2 N_2(h .) + D_3 N_3+(h .)) / c(h .)
    p(w | -)  = the same formula for single tokens, interpolated with 1 / V

At the highest order, c is the number of occurrences of the n-gram. At lower orders, c is the number
of distinct tokens that precede the n-gram. An n-gram that begins with `<s>` has no token before it,
so c is its number of occurrences. c(h .) is the sum over w, and N_k(h .) is the number of w with
count k. V does not include `<s>`, which is never predicted. The discounts of each order come from
n_k, the number of its n-grams with count k:

    Y = n_1 / (n_1 + 2 n_2)     D_k = k - (k + 1) Y n_{k+1} / n_k     for k = 1, 2 and 3 or more

The discounts need n_1 to n_3 above zero and D_k from 0 to k. This fails for small texts, for texts
without repetitions, and for characters, which are few and all frequent. Such an order gets
FALLBACK_DISCOUNTS, and a note says so (KenLM stops instead, unless --discount_fallback is given).

Cut-offs are as in SRILM: p and gamma are computed from all n-grams. Then n-grams with a smaller
count are dropped, and their mass goes to the back-off of h:

    backoff(h) = (1 - sum_kept p(w | h)) / (1 - sum_kept p(w | h'))

Axis: G distinct n-grams of one order.
"""

from typing import NamedTuple

import numpy as np

from zoo.models.ngram_counts import NGrams, build_tables, count_ngrams
from zoo.models.ngram_lm import NGramConfig, Params
from zoo.special_tokens import START_ID

FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)
SMALLEST_MASS = 1e-9  # of unseen tokens; a smaller mass is rounding, and nothing is unseen


class Estimate(NamedTuple):
    """An estimated n-gram model.

    Attributes:
        params: the tables of an `NGramLM`.
        num_ngrams: the number of n-grams of each order.
        notes: notes for the user, one line each.
    """

    params: Params
    num_ngrams: list[int]
    notes: list[str]


def estimate(tokens: np.ndarray, config: NGramConfig, vocabulary_size: int) -> Estimate:
    """Counts a text and estimates the model.

    Args:
        tokens: int32[N], the tokens of each sentence, followed by `</s>`.
        config: the settings, of which order and min_counts are used.
        vocabulary_size: the number of tokens of the vocabulary, `<s>` included.

    Example:
        >>> tokens = np.array([3, 4, 2, 4, 2], np.int32)
        >>> tables = estimate(tokens, NGramConfig(order=1), 5).params["order_1"]
        >>> np.exp(tables["log_prob"].astype(float)).round(3).tolist()
        [0.125, 0.0, 0.325, 0.225, 0.325]
    """
    levels = count_ngrams(tokens, config.order, vocabulary_size)
    counts = [_adjusted_counts(levels, index) for index in range(len(levels))]
    notes: list[str] = []
    probs, gammas = [], []
    lower = np.full(1, 1 / (vocabulary_size - 1))  # p of every token after the empty history
    for index, (level, count) in enumerate(zip(levels, counts, strict=True)):
        discounts = estimate_discounts(count)
        if discounts is None:
            discounts = FALLBACK_DISCOUNTS
            notes.append(
                f"the discounts of order {index + 1} cannot be estimated, because too few n-grams "
                f"have counts 1 to 3; {', '.join(map(str, discounts))} are used"
            )
        prob, gamma = _interpolate(level, count, discounts, lower)
        if index == 0:
            prob[START_ID] = 0
        lower = prob
        probs.append(prob)
        gammas.append(gamma)
    backoffs = [*gammas[1:], np.ones(len(levels[-1].word))]  # gamma(h) belongs to the entry of h
    if max(config.min_counts) > 1:
        levels, probs, backoffs = _drop_rare(levels, counts, probs, backoffs, config.min_counts)
    with np.errstate(divide="ignore"):
        logs = [[np.log(array) for array in arrays] for arrays in (probs, backoffs)]
    return Estimate(build_tables(levels, *logs), [len(level.word) for level in levels], notes)


def _adjusted_counts(levels: list[NGrams], index: int) -> np.ndarray:
    """Returns c of the n-grams of a level; 0 for `<s>`."""
    level = levels[index]
    count = level.occurrences
    if index + 1 < len(levels):
        num_left = np.bincount(levels[index + 1].suffix, minlength=len(count))
        count = np.where(level.at_start, count, num_left)
    if index == 0:
        count = count.copy()
        count[START_ID] = 0
    return count


def estimate_discounts(counts: np.ndarray) -> tuple[float, float, float] | None:
    """Returns D_1, D_2 and D_3+ from the counts of an order; None if the counts do not allow it.

    Example:
        >>> estimate_discounts(np.array([1, 1, 1, 1, 2, 2, 3, 4]))
        (0.5, 1.25, 1.0)
        >>> estimate_discounts(np.array([5, 6, 7])) is None
        True
    """
    n = [0, *(int(np.count_nonzero(counts == k)) for k in (1, 2, 3, 4))]
    if not all(n[1:4]):
        return None
    y = n[1] / (n[1] + 2 * n[2])
    one, two, three = (k - (k + 1) * y * n[k + 1] / n[k] for k in (1, 2, 3))
    valid = 0 <= one <= 1 and 0 <= two <= 2 and 0 <= three <= 3
    return (one, two, three) if valid else None


def _interpolate(
    level: NGrams, count: np.ndarray, discounts: tuple[float, float, float], lower: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns p [G] of the n-grams of a level, and gamma of every entry of the level below.

    `lower` has p of the level below, for the suffixes of the n-grams.
    """
    discount = np.array([0, *discounts])[np.minimum(count, 3)]
    total = np.bincount(level.parent, weights=count, minlength=len(lower))
    removed = np.bincount(level.parent, weights=discount, minlength=len(lower))
    # A history without followers leaves all mass to the shorter history.
    gamma = np.divide(removed, total, out=np.ones(len(lower)), where=total > 0)
    share = np.divide(
        count - discount, total[level.parent], out=np.zeros(len(count)), where=count > 0
    )
    return share + gamma[level.parent] * lower[level.suffix], gamma


def _drop_rare(
    levels: list[NGrams],
    counts: list[np.ndarray],
    probs: list[np.ndarray],
    backoffs: list[np.ndarray],
    min_counts: tuple[int, ...],
) -> tuple[list[NGrams], list[np.ndarray], list[np.ndarray]]:
    """Drops n-grams with small counts and gives their mass to the back-off of their history.

    A rare n-gram that is the prefix of a kept n-gram stays in the table, with the probability of
    the back-off. So it has no effect of its own.
    """
    smallest = [min_counts[min(index, len(min_counts) - 1)] for index in range(len(levels))]
    wanted = [count >= least for count, least in zip(counts, smallest, strict=True)]
    wanted[0] = np.ones(len(counts[0]), bool)  # words are always kept
    for index in range(1, len(levels)):
        level = levels[index]
        kept, size = wanted[index], len(levels[index - 1].word)
        lower = probs[index - 1][level.suffix]
        of_kept, of_suffixes = (
            np.bincount(level.parent, weights=np.where(kept, values, 0), minlength=size)
            for values in (probs[index], lower)
        )
        unseen = 1 - of_suffixes
        backoffs[index - 1] = np.divide(
            1 - of_kept, unseen, out=np.ones(size), where=unseen > SMALLEST_MASS
        )
        backed_off = backoffs[index - 1][level.parent] * lower
        probs[index] = np.where(kept, probs[index], backed_off)
    return _select_kept(levels, wanted, probs, backoffs)


def _select_kept(
    levels: list[NGrams],
    wanted: list[np.ndarray],
    probs: list[np.ndarray],
    backoffs: list[np.ndarray],
) -> tuple[list[NGrams], list[np.ndarray], list[np.ndarray]]:
    """Returns the wanted entries and the prefixes of wanted entries, with new numbers."""
    stays = list(wanted)
    for index in range(len(levels) - 1, 1, -1):
        parents = np.zeros(len(stays[index - 1]), bool)
        parents[levels[index].parent[stays[index]]] = True
        stays[index - 1] = stays[index - 1] | parents
    number = [np.cumsum(kept) - 1 for kept in stays]
    selected = [levels[0]]
    for index in range(1, len(levels)):
        kept = NGrams(*(field[stays[index]] for field in levels[index]))
        selected.append(kept._replace(parent=number[index - 1][kept.parent]))
    depth = max(index for index, kept in enumerate(stays) if kept.any()) + 1
    probs, backoffs = (
        [array[kept] for array, kept in zip(values, stays, strict=True)]
        for values in (probs, backoffs)
    )
    return selected[:depth], probs[:depth], backoffs[:depth]
