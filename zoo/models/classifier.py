"""The sequence classifier: a recurrent network, pooling of its states, and a feed-forward network.

    c_t     the embedding of token t
    h_t     = recurrent network (c_1, ..., c_t); bidirectional (c_1, ..., c_n); or c_t itself
    z       = pool(h_1, ..., h_n)            last, mean, max or attention, see layers.pooling
    y       = softmax(U g(V z + b) + d)      if each text has one label
    y       = sigmoid(U g(V z + b) + d)      if a text may have several labels

With cell "none" there is no recurrence, and mean pooling gives a bag of embeddings (deep averaging
network; Iyyer et al. 2015). Word dropout replaces tokens by `<unk>` in training (Kiperwasser and
Goldberg 2016), so that the model does not rely on single tokens and learns about unknown tokens.

Axes: B rows, T time, D width of an embedding, H width of a state, C labels.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.checks import check_choice, check_least, check_rates
from zoo.layers.dropout import drop
from zoo.layers.initializers import uniform
from zoo.layers.linear import affine
from zoo.layers.pooling import (
    POOLINGS,
    Pooled,
    pool_attention,
    pool_last,
    pool_max,
    pool_mean,
)
from zoo.models.feedforward import FeedForward, check_activation
from zoo.models.text_network import TextNetworkConfig, drop_words, embedding_parameter

Array = jax.Array

NO_CELL = "none"


@dataclass(frozen=True)
class ClassifierConfig(TextNetworkConfig):
    """The settings of a classifier.

    Attributes:
        cell: the recurrent cell, such as elman, gru or lstm, see `zoo.layers.cells`; none pools the
            embeddings without a recurrent network.
        hidden_sizes: H of each recurrent layer, from the bottom; not used if cell is none.
        pooling: last, mean, max or attention.
        head_size: the number of hidden units of the feed-forward network.
        activation: g of the feed-forward network, tanh or relu.
        embedding_dropout_rate: the fraction of the elements of c_t that is dropped in training.
        pooled_dropout_rate: the fraction of the elements of z that is dropped.
        head_dropout_rate: the fraction of the hidden units of the feed-forward network that is
            dropped.
    """

    no_cells: ClassVar[tuple[str, ...]] = (NO_CELL,)

    pooling: str = "max"
    head_size: int = 100
    activation: str = "relu"
    pooled_dropout_rate: float = 0.0
    head_dropout_rate: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("model.pooling", self.pooling, POOLINGS)
        check_activation(self.activation)
        check_least(1, "model", self, "head_size")
        check_rates("model", self, "pooled_dropout_rate", "head_dropout_rate")


class ClassifierOutput(NamedTuple):
    """The output of a classifier.

    Attributes:
        logits: [B, C], the score of each label.
        weights: [B, T], the weight of each token in z; zero at padding, and the sum is one.
    """

    logits: Array
    weights: Array


class Classifier(nn.Module):
    """A classifier of texts over a vocabulary of V tokens into C labels.

    The parameters are `embedding` [V, D], `stack/layer_0`, ... (see RecurrentStack) and `head` (see
    FeedForward). Pooling by attention adds `score_kernel` W [H, H], `score_bias` b [H] and
    `score_vector` v [H, 1].

    Example:
        >>> model = Classifier(ClassifierConfig(embedding_size=8, hidden_sizes=(6,)), 100, 3)
        >>> tokens, lengths = jnp.array([[5, 7, 2], [9, 2, 2]]), jnp.array([3, 2])
        >>> params = jax.jit(model.init)(jax.random.key(0), tokens, lengths=lengths)["params"]
        >>> output = jax.jit(model.apply)({"params": params}, tokens, lengths=lengths)
        >>> output.logits.shape, output.weights[1, 2].item()
        ((2, 3), 0.0)
    """

    config: ClassifierConfig
    vocabulary_size: int
    num_labels: int

    def setup(self) -> None:
        """Creates the embedding, the recurrent layers and the feed-forward network."""
        config = self.config
        size = self.vocabulary_size
        self.embedding = embedding_parameter(self, size, config.embedding_size, config.init_scale)
        if config.cell != NO_CELL:
            self.stack = config.make_stack()
        width = config.embedding_size if config.cell == NO_CELL else config.states_size
        if config.pooling == "attention":
            init = uniform(width**-0.5)
            self.score_kernel = self.param("score_kernel", init, (width, width))
            self.score_bias = self.param("score_bias", nn.initializers.zeros, (width,))
            self.score_vector = self.param("score_vector", init, (width, 1))
        self.head = FeedForward(
            hidden_size=config.head_size,
            num_outputs=self.num_labels,
            activation=config.activation,
            dropout_rate=config.head_dropout_rate,
        )

    def __call__(
        self, tokens: Array, *, lengths: Array, deterministic: bool = True
    ) -> ClassifierOutput:
        """Returns the scores of all labels.

        Args:
            tokens: int32[B, T].
            lengths: int32[B], the number of real tokens of each row, at least 1.
            deterministic: False in training: units are dropped, with the random key "dropout".
        """
        config = self.config
        tokens = drop_words(self, tokens, config.word_dropout_rate, deterministic)
        embedded = self.embedding[tokens]
        states = drop(self, embedded, config.embedding_dropout_rate, deterministic)
        if config.cell != NO_CELL:
            states, _ = self.stack(states, lengths=lengths, deterministic=deterministic)
        pooled = self._pool(states, lengths)
        vector = drop(self, pooled.vector, config.pooled_dropout_rate, deterministic)
        return ClassifierOutput(self.head(vector, deterministic=deterministic), pooled.weights)

    def _pool(self, states: Array, lengths: Array) -> Pooled:
        config = self.config
        if config.pooling == "last":
            both_ways = config.bidirectional and config.cell != NO_CELL
            return pool_last(states, lengths, bidirectional=both_ways)
        if config.pooling == "mean":
            return pool_mean(states, lengths)
        if config.pooling == "max":
            return pool_max(states, lengths)
        hidden = jnp.tanh(affine(states, self.score_kernel, self.score_bias))
        scores = (hidden @ self.score_vector)[..., 0]
        return pool_attention(states, lengths, scores)
