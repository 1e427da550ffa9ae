"""The feed-forward language model, which predicts the next token from a window of tokens.

    x_t = [c_{t-N+1}; ...; c_t]                 the embeddings of the last N tokens, concatenated
    y_t = softmax(U g(W x_t + b) + d)           the distribution of token t + 1
    y_t = softmax(U g(W x_t + b) + A x_t + d)   with direct connections

(Bengio et al. 2003, eq. 1, where W is called H, A is called W, and g is tanh.) Before the first
token of a text, or of a sentence if the state is reset, the window is filled with `<s>`.

Axes: B rows, T time, N window, D width of an embedding, V vocabulary.
"""

from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.checks import check_least, check_rates
from zoo.layers.dropout import drop
from zoo.layers.linear import product
from zoo.layers.masks import take_step, widen_resets
from zoo.models.feedforward import FeedForward, check_activation
from zoo.models.output import LMOutput
from zoo.models.text_network import embedding_parameter
from zoo.special_tokens import START_ID

Array = jax.Array


@dataclass(frozen=True)
class FeedForwardLMConfig:
    """The settings of a feed-forward language model.

    Attributes:
        window: N, the number of tokens before the predicted token; 4 gives a neural 5-gram model.
        embedding_size: D.
        hidden_size: the number of hidden units.
        activation: g, tanh or relu.
        direct_connections: whether A x_t is added to the logits.
        embedding_dropout_rate: the fraction of x_t that is dropped in training.
        hidden_dropout_rate: the fraction of the hidden units that is dropped in training.
        init_scale: weights start uniform in (-init_scale, init_scale); 0 means
            +-1/sqrt(number of inputs).
    """

    window: int = 4
    embedding_size: int = 128
    hidden_size: int = 256
    activation: str = "tanh"
    direct_connections: bool = False
    embedding_dropout_rate: float = 0.0
    hidden_dropout_rate: float = 0.0
    init_scale: float = 0.0

    def __post_init__(self) -> None:
        check_activation(self.activation)
        check_least(1, "model", self, "window", "embedding_size", "hidden_size")
        check_least(0, "model", self, "init_scale")
        check_rates("model", self, "embedding_dropout_rate", "hidden_dropout_rate")


class FeedForwardLM(nn.Module):
    """A feed-forward language model over a vocabulary of V tokens.

    The parameters are `embedding` [V, D] and `network` (see FeedForward). Direct connections add
    `direct_kernel` A [N*D, V], which starts at zero.

    Example:
        >>> model = FeedForwardLM(FeedForwardLMConfig(window=3, embedding_size=8), 100)
        >>> tokens = jnp.array([[1, 5, 7, 9], [1, 9, 2, 4]])
        >>> params = model.init(jax.random.key(0), tokens)["params"]
        >>> output = model.apply({"params": params}, tokens)
        >>> output.logits.shape, output.carry.tolist()
        ((2, 4, 100), [[5, 7, 9], [9, 2, 4]])
    """

    config: FeedForwardLMConfig
    vocabulary_size: int

    def setup(self) -> None:
        """Creates the embedding and the two layers."""
        config, size = self.config, self.vocabulary_size
        self.embedding = embedding_parameter(self, size, config.embedding_size, config.init_scale)
        self.network = FeedForward(
            hidden_size=config.hidden_size,
            num_outputs=size,
            activation=config.activation,
            dropout_rate=config.hidden_dropout_rate,
            init_scale=config.init_scale,
        )
        if config.direct_connections:
            shape = (config.window * config.embedding_size, size)
            self.direct_kernel = self.param("direct_kernel", nn.initializers.zeros, shape)

    def __call__(
        self,
        tokens: Array,
        carry: Array | None = None,
        *,
        lengths: Array | None = None,
        resets: Array | None = None,
        deterministic: bool = True,
    ) -> LMOutput:
        """Returns the distribution of the next token after each token.

        Args:
            tokens: int32[B, T].
            carry: int32[B, N], the last tokens, from an earlier call; None means `<s>`.
            lengths: int32[B], the number of real tokens of each row, at least 1; None means T.
            resets: bool[B, R], R <= T; True at [b, t] forgets the tokens of row b before step t.
            deterministic: False in training: units are dropped, with the random key "dropout".

        Returns:
            The logits, and the carry after the last real token.
        """
        batch, steps = tokens.shape
        windows = self._windows(tokens, carry, resets)
        features = self.embedding[windows].reshape((batch, steps, -1))
        features = drop(self, features, self.config.embedding_dropout_rate, deterministic)
        logits = self.network(features, deterministic=deterministic)
        if self.config.direct_connections:
            flat = features.reshape((batch * steps, -1))
            logits = logits + product(flat, self.direct_kernel).reshape(logits.shape)
        last = jnp.full(batch, steps - 1) if lengths is None else lengths - 1
        return LMOutput(logits, take_step(windows, last))

    def zero_carry(self, batch_size: int) -> Array:
        """Returns the carry before the first token, which is N times `<s>`."""
        return jnp.full((batch_size, self.config.window), START_ID, jnp.int32)

    def _windows(self, tokens: Array, carry: Array | None, resets: Array | None) -> Array:
        """Returns the last N tokens at every step, int32[B, T, N]."""
        batch, steps = tokens.shape
        size = self.config.window
        carry = self.zero_carry(batch) if carry is None else carry
        read = jnp.concatenate([carry, jnp.asarray(tokens)], axis=1)
        # Tokens between the same two resets have the same number.
        stretch = jnp.zeros((batch, steps), jnp.int32)
        if resets is not None:
            stretch = jnp.cumsum(widen_resets(resets, steps), axis=1, dtype=jnp.int32)
        stretches = jnp.pad(stretch, ((0, 0), (size, 0)))
        window = []
        for back in range(size - 1, -1, -1):
            part = slice(size - back, size - back + steps)
            window.append(jnp.where(stretches[:, part] == stretch, read[:, part], START_ID))
        return jnp.stack(window, axis=-1)
