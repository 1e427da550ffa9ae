"""The common parts of models over tokens: embeddings, and the network of classifier and tagger."""

from dataclasses import dataclass
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.checks import check_least, check_rates, check_sizes
from zoo.layers.cells import check_cell
from zoo.layers.initializers import uniform
from zoo.layers.recurrent import RecurrentStack
from zoo.special_tokens import UNKNOWN_ID


@dataclass(frozen=True)
class TextNetworkConfig:
    """The settings of embeddings and of the recurrent network that reads them.

    Attributes:
        cell: the cell of the network; see `zoo.layers.cells`.
        embedding_size: D.
        hidden_sizes: H of each recurrent layer and direction, from the bottom.
        bidirectional: whether the network reads in both directions.
        word_dropout_rate: the fraction of the tokens that become `<unk>` in training.
        embedding_dropout_rate: the fraction of the elements of each input that is dropped in
            training.
        layer_dropout_rate: the fraction of a recurrent layer's outputs that is dropped before the
            next layer.
        init_scale: embeddings start uniform in (-init_scale, init_scale); 0 means 1/sqrt(D).
        forget_bias: the initial bias of the forget gates of an LSTM.
    """

    no_cells: ClassVar[tuple[str, ...]] = ()  # further values of `cell`

    cell: str = "lstm"
    embedding_size: int = 100
    hidden_sizes: tuple[int, ...] = (100,)
    bidirectional: bool = True
    word_dropout_rate: float = 0.0
    embedding_dropout_rate: float = 0.0
    layer_dropout_rate: float = 0.0
    init_scale: float = 0.1
    forget_bias: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden_sizes", tuple(self.hidden_sizes))
        check_cell("model.cell", self.cell, self.no_cells)
        check_least(1, "model", self, "embedding_size")
        check_least(0, "model", self, "init_scale")
        check_sizes("model.hidden_sizes", self.hidden_sizes)
        rates = ("word_dropout_rate", "embedding_dropout_rate", "layer_dropout_rate")
        check_rates("model", self, *rates)

    @property
    def states_size(self) -> int:
        """The width of the network's states, with both directions."""
        return self.hidden_sizes[-1] * (2 if self.bidirectional else 1)

    def make_stack(self) -> RecurrentStack:
        """Returns the recurrent network."""
        return RecurrentStack(
            cell=self.cell,
            sizes=self.hidden_sizes,
            bidirectional=self.bidirectional,
            dropout_rate=self.layer_dropout_rate,
            forget_bias=self.forget_bias,
        )


def embedding_parameter(module: nn.Module, size: int, width: int, init_scale: float) -> jax.Array:
    """Returns the parameter `embedding` [V, D] of a module.

    Args:
        module: the module, in its `setup`.
        size: V.
        width: D.
        init_scale: the parameter starts uniform in (-init_scale, init_scale); 0 means 1/sqrt(D).
    """
    return module.param("embedding", uniform(init_scale or width**-0.5), (size, width))


def drop_words(module: nn.Module, tokens: jax.Array, rate: float, deterministic: bool) -> jax.Array:
    """Replaces tokens by `<unk>` at random in training, with the random key "dropout"."""
    if deterministic or not rate:
        return tokens
    keep = jax.random.bernoulli(module.make_rng("dropout"), 1 - rate, tokens.shape)
    return jnp.where(keep, tokens, UNKNOWN_ID)
