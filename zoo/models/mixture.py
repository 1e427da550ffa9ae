"""Linear interpolation of language models: p(w | h) = sum_k lambda_k p_k(w | h).

(Jelinek and Mercer 1980.) The weights are not negative and sum to one. So the mixture is a
distribution, and can be used like any other language model.
"""

from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import jax
import jax.numpy as jnp

from zoo.models.output import LanguageModel
from zoo.types import PyTree

Array = jax.Array


class MixtureOutput(NamedTuple):
    """The output of a mixture: the fields of an `LMOutput`, and the outputs of its parts.

    Attributes:
        logits: [B, T, V], the log-probabilities of each next token.
        carry: the carries of the parts.
        parts: [K, B, T, V], the log-probabilities of each next token by each part.
    """

    logits: Array
    carry: tuple[PyTree, ...]
    parts: Array


@dataclass(frozen=True)
class MixtureLM:
    """A mixture of K language models over one vocabulary.

    Its parameters are {"weights": float[K], "parts": (the parameters of each part)}.

    Attributes:
        parts: the models.

    Example:
        >>> from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig
        >>> part = RecurrentLM(RecurrentLMConfig(embedding_size=4, hidden_sizes=(4,)), 5)
        >>> tokens = jnp.array([[1, 3]])
        >>> parts = [part.init(jax.random.key(seed), tokens)["params"] for seed in (0, 1)]
        >>> params = {"weights": jnp.array([0.3, 0.7]), "parts": parts}
        >>> output = MixtureLM((part, part)).apply({"params": params}, tokens)
        >>> jnp.exp(output.logits).sum(axis=-1).round(3).tolist()
        [[1.0, 1.0]]
    """

    parts: tuple[LanguageModel, ...]

    @property
    def vocabulary_size(self) -> int:
        """V."""
        return self.parts[0].vocabulary_size

    def apply(
        self,
        variables: dict[str, PyTree],
        tokens: Array,
        carry: tuple[PyTree, ...] | None = None,
        *,
        lengths: Array | None = None,
        resets: Array | None = None,
    ) -> MixtureOutput:
        """Returns log-probabilities of the next token after each token; arguments as for a part."""
        params = variables["params"]
        carry = (None,) * len(self.parts) if carry is None else carry
        outputs = [
            part.apply({"params": own}, tokens, state, lengths=lengths, resets=resets)
            for part, own, state in zip(self.parts, params["parts"], carry, strict=True)
        ]
        log_probs = [jax.nn.log_softmax(output.logits, axis=-1) for output in outputs]
        log_weights = jnp.log(jnp.asarray(params["weights"]))
        weighted = [own + weight for own, weight in zip(log_probs, log_weights, strict=True)]
        # On a CPU, jax.nn.logsumexp with weights took 100 times as long for 10,001 words.
        mixed = reduce(jnp.logaddexp, weighted)
        carry = tuple(output.carry for output in outputs)
        return MixtureOutput(mixed, carry, jnp.stack(log_probs))

    def zero_carry(self, batch_size: int) -> tuple[PyTree, ...]:
        """Returns the carries of the parts before the first token."""
        return tuple(part.zero_carry(batch_size) for part in self.parts)
