"""Surprisal: how unexpected each token of a text is to a language model.

    surprisal_i = -log2 p(w_i | tokens before it)          in bits

(Shannon 1948; for human readers Hale 2001.) The mean over the N tokens is log2 of the perplexity.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from zoo.data.vocabulary import encode_lines
from zoo.evaluation.modes import Mode
from zoo.evaluation.perplexity import text_lines, token_log_probabilities
from zoo.models.trained import ModelOrName, require_language_model
from zoo.types import Json


@dataclasses.dataclass(frozen=True, eq=False)
class Surprisal:
    """The tokens of a text with their surprisal.

    Attributes:
        tokens: the N tokens that were predicted, including `</s>` at the end of each sentence;
            `<unk>` is a token that the model does not know.
        bits: float64[N], infinite if the model gives a token probability 0.
    """

    tokens: tuple[str, ...]
    bits: np.ndarray

    @property
    def probabilities(self) -> np.ndarray:
        """The probability of each token after the tokens before it, float64[N]."""
        return np.exp2(-self.bits)

    def to_json(self) -> Json:
        """Returns the tokens and their bits as plain JSON types; infinite bits are None."""
        bits = [value if math.isfinite(value) else None for value in self.bits.tolist()]
        return {"tokens": list(self.tokens), "bits": bits}


def surprisal(
    checkpoint: ModelOrName, text: str | Sequence[str], *, mode: Mode = "stream"
) -> Surprisal:
    """Returns the surprisal of each token of a text.

    Args:
        checkpoint: any language model: recurrent, feed-forward, an n-gram model, a mixture, or a
            model that adapts; or a name that `zoo.load` accepts.
        text: a string, in which a newline ends a sentence, or its lines without newlines.
        mode: "stream" carries the state over sentences, "sentence" resets it at each sentence.

    Raises:
        UserError: if the text is empty, the mode is unknown, or it is not a language model.

    Example:
        >>> from zoo.data.vocabulary import build_vocabulary
        >>> from zoo.models import kneser_ney
        >>> from zoo.models.ngram_lm import NGramConfig, NGramLM
        >>> from zoo.models.trained import TrainedLanguageModel
        >>> words = build_vocabulary("word", ["it rains"])
        >>> config = NGramConfig(order=1)
        >>> params = kneser_ney.estimate(encode_lines(words, ["it rains"]), config, 5).params
        >>> model = TrainedLanguageModel(model=NGramLM(config, 5), params=params, vocabulary=words)
        >>> found = surprisal(model, "it rains")
        >>> found.tokens, found.bits.shape
        (('it', 'rains', '</s>'), (3,))
    """
    model = require_language_model(checkpoint)
    tokens = encode_lines(model.vocabulary, text_lines(text))
    nats = token_log_probabilities(model.model, model.params, tokens, mode=mode)
    names = tuple(model.vocabulary.tokens[token] for token in tokens.tolist())
    return Surprisal(names, 0 - nats.astype(np.float64) / math.log(2))
