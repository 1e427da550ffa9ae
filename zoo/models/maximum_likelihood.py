"""Maximum likelihood for n-grams: p(w | h) = c(h w) / c(h .), and 0 for unseen n-grams.

For n = 2 it is the bigram model of the lecture, which is good for sampling. On new text it meets an
unseen pair sooner or later, and its perplexity is infinite. After an unseen history, which sampling
from `<s>` never reaches, the model uses the shorter history.
"""

import numpy as np

from zoo.models.kneser_ney import Estimate
from zoo.models.ngram_counts import build_tables, count_ngrams
from zoo.models.ngram_lm import NGramConfig
from zoo.special_tokens import START_ID


def estimate(tokens: np.ndarray, config: NGramConfig, vocabulary_size: int) -> Estimate:
    """Counts a text and estimates the model; see `kneser_ney.estimate` for arguments and result.

    Example:
        >>> tokens = np.array([3, 4, 2, 3, 3, 2], np.int32)
        >>> pairs = estimate(tokens, NGramConfig(order=2), 5).params["order_2"]
        >>> np.exp(pairs["log_prob"].astype(float)).round(3).tolist()
        [1.0, 0.333, 0.333, 0.333, 1.0]

    The pairs are <s> 3, 3 </s>, 3 3, 3 4 and 4 </s>.
    """
    levels = count_ngrams(tokens, config.order, vocabulary_size)
    log_probs, log_backoffs = [], []
    for index, level in enumerate(levels):
        count = np.where(level.word == START_ID, 0, level.occurrences)
        total = np.bincount(level.parent, weights=count)
        with np.errstate(divide="ignore"):
            log_probs.append(np.log(count / total[level.parent]))
        if index + 1 < len(levels):
            followed = np.bincount(levels[index + 1].parent, minlength=len(level.word)) > 0
            log_backoffs.append(np.where(followed, -np.inf, 0))
    tables = build_tables(levels, log_probs, log_backoffs)
    return Estimate(tables, [len(level.word) for level in levels], notes=[])
