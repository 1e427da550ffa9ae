"""The recurrent language model, which predicts the next token from all tokens before it.

    h_t = g(W_h h_{t-1} + W c_t)        c_t: the embedding of token t
    y_t = softmax(U h_t)                the distribution of token t + 1

(Mikolov et al. 2010, eq. 1-3.) The first line is an Elman cell; other cells replace it (see
zoo/layers/cells), and a model may have several layers. If embeddings are tied, U is the embedding
matrix itself (Press and Wolf 2017; Inan et al. 2017).
"""

from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.checks import check_choice, check_least, check_rates, check_sizes
from zoo.errors import UserError
from zoo.layers.block import BLOCKS, ResidualStack, initial_carries
from zoo.layers.cells import check_cell, make_cell
from zoo.layers.cells.base import State
from zoo.layers.dropout import drop, dropout
from zoo.layers.fast.lookup import Lookup, embed
from zoo.layers.fast.softmax_loss import SoftmaxInputs
from zoo.layers.initializers import uniform
from zoo.layers.masks import real_steps
from zoo.layers.recurrent import RecurrentStack
from zoo.models.output import LMOutput
from zoo.models.text_network import embedding_parameter
from zoo.types import Json

Array = jax.Array


@dataclass(frozen=True)
class RecurrentLMConfig:
    """The settings of a recurrent language model.

    Attributes:
        cell: the name of a cell, such as elman, gru or lstm, see `zoo.layers.cells`; or a name that
            `zoo.register_cell` has registered.
        embedding_size: D, the width of c_t.
        hidden_sizes: H of each layer, from the bottom.
        block: plain: each layer reads the outputs of the layer below. residual: each layer adds its
            output to its input, with norms and a gated MLP (see zoo/layers/block.py), as in deep
            networks of new cells. All hidden_sizes must then equal D.
        convolution_width: k of the causal convolution in front of each cell, for residual blocks.
            The papers use 4; 0 means no convolution.
        tie_embeddings: whether the embedding matrix is also U; the last hidden size must then
            equal D.
        learn_initial_state: whether the initial state of a sequence is trained; otherwise it is
            zero.
        truncation: the number of steps that a gradient goes back: 1 is plain backpropagation (BP),
            k is truncated BPTT over k steps in each layer, and 0 is the whole chunk. A
            residual block's convolution adds its own steps.
        embedding_dropout_rate: the fraction of c_t that is dropped in training.
        layer_dropout_rate: the fraction of a layer's outputs that is dropped before the next layer;
            of residual blocks, the fraction of the output of each of its two parts.
        output_dropout_rate: the fraction of the inputs of U that is dropped.
        word_dropout_rate: the fraction of the words of the vocabulary whose embedding is zero in a
            chunk, with one mask for all rows and steps (Gal and Ghahramani 2016).
        weight_dropout_rate: the fraction of the recurrent weights that is dropped, with one mask
            per batch.
        dropout_shares_steps: whether all steps of a chunk share one dropout mask; otherwise each
            step has its own mask.
        activation_penalty: alpha of AR (Merity et al. 2017). The loss in training adds alpha times
            the mean square of the top layer's outputs h_t after dropout.
        temporal_penalty: beta of TAR (Merity et al. 2017). The loss in training adds beta times the
            mean square of h_{t+1} - h_t before dropout.
        init_scale: weights start uniform in (-init_scale, init_scale). 0 means that embeddings and
            U start uniform in +-1/sqrt(width), and each cell in its own way. See
            `zoo.layers.cells.base.Cell` for this field and the next.
        forget_bias: the initial bias of the forget gates of an LSTM.
        matmul_dtype: float32, or bfloat16 to round the operands of every product with a weight
            matrix.
    """

    cell: str = "lstm"
    embedding_size: int = 128
    hidden_sizes: tuple[int, ...] = (256,)
    block: str = "plain"
    convolution_width: int = 0
    tie_embeddings: bool = False
    learn_initial_state: bool = False
    truncation: int = 0
    embedding_dropout_rate: float = 0.0
    layer_dropout_rate: float = 0.0
    output_dropout_rate: float = 0.0
    word_dropout_rate: float = 0.0
    weight_dropout_rate: float = 0.0
    dropout_shares_steps: bool = False
    activation_penalty: float = 0.0
    temporal_penalty: float = 0.0
    init_scale: float = 0.0
    forget_bias: float = 1.0
    matmul_dtype: str = "float32"

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden_sizes", tuple(self.hidden_sizes))
        _check(self)


def _check(config: RecurrentLMConfig) -> None:
    """Raises a UserError that names the first invalid setting."""
    check_least(1, "model", config, "embedding_size")
    check_sizes("model.hidden_sizes", config.hidden_sizes)
    check_cell("model.cell", config.cell)
    _check_block(config)
    if config.weight_dropout_rate and not make_cell(config.cell, 1).recurrent_weights:
        raise UserError(
            f"model.cell is {config.cell}, which has no recurrent weights; "
            "use model.weight_dropout_rate=0"
        )
    if config.tie_embeddings and config.hidden_sizes[-1] != config.embedding_size:
        raise UserError(
            f"model.tie_embeddings needs the last of model.hidden_sizes {config.hidden_sizes} "
            f"to be model.embedding_size {config.embedding_size}"
        )
    if config.matmul_dtype not in ("float32", "bfloat16"):
        raise UserError(f"model.matmul_dtype is {config.matmul_dtype!r}; use float32 or bfloat16")
    if config.truncation < 0:
        raise UserError(
            f"model.truncation is {config.truncation}, which is negative; use 1 for plain "
            "backpropagation, k for BPTT(k), or 0 for the whole chunk"
        )
    check_least(0, "model", config, "activation_penalty", "temporal_penalty", "init_scale")
    kinds = ("embedding", "layer", "output", "word", "weight")
    check_rates("model", config, *(f"{kind}_dropout_rate" for kind in kinds))


def _check_block(config: RecurrentLMConfig) -> None:
    """Raises a UserError if the block does not exist or does not fit the sizes."""
    check_choice("model.block", config.block, BLOCKS)
    widest = 64 if config.block == "residual" else 0
    if config.convolution_width == 1 or not 0 <= config.convolution_width <= widest:
        raise UserError(
            f"model.convolution_width is {config.convolution_width} and model.block "
            f"{config.block}; use 0 for no convolution, or 2 to 64 with model.block=residual"
        )
    if config.block == "residual" and set(config.hidden_sizes) != {config.embedding_size}:
        raise UserError(
            f"model.block is residual, which needs all of model.hidden_sizes {config.hidden_sizes} "
            f"to be model.embedding_size {config.embedding_size}"
        )


def mean_square(x: Array, lengths: Array | None, fewer: int = 0) -> Array:
    """Returns the mean square of the elements of real steps.

    Args:
        x: [B, T, H].
        lengths: int32[B], the number of real steps of each row; None if all T steps are real.
        fewer: the number of steps by which each row of x is shorter than `lengths` says.

    Example:
        >>> x = jnp.array([[[1.0], [3.0], [9.0]]])
        >>> mean_square(x, jnp.array([2])).item()
        5.0
    """
    if lengths is None:
        return jnp.square(x).mean() if x.size else jnp.zeros(())
    real = real_steps(x, lengths - fewer)
    total = jnp.where(real[..., None], jnp.square(x), 0).sum()
    return total / jnp.maximum(real.sum() * x.shape[2], 1).astype(total.dtype)


class RecurrentLM(nn.Module):
    """A recurrent language model over a vocabulary of V tokens.

    The parameters are `embedding` [V, D], `stack/layer_0`, ... (see RecurrentLayer),
    `output_kernel` U [H, V] unless it is tied, and `output_bias` [V]. Residual blocks add
    `stack/block_0`, ... and `stack/norm` (see ResidualStack).

    Example:
        >>> model = RecurrentLM(RecurrentLMConfig(embedding_size=8, hidden_sizes=(16,)), 100)
        >>> tokens = jnp.array([[1, 5, 7], [1, 9, 2]])
        >>> params = model.init(jax.random.key(0), tokens)["params"]
        >>> model.apply({"params": params}, tokens).logits.shape
        (2, 3, 100)
    """

    config: RecurrentLMConfig
    vocabulary_size: int

    def setup(self) -> None:
        """Creates the embedding, the recurrent layers and the output layer."""
        config, size = self.config, self.vocabulary_size
        self.embedding = embedding_parameter(self, size, config.embedding_size, config.init_scale)
        self.stack = self._stack()
        if not config.tie_embeddings:
            width = config.hidden_sizes[-1]
            output_scale = config.init_scale or width**-0.5
            self.output_kernel = self.param("output_kernel", uniform(output_scale), (width, size))
        self.output_bias = self.param("output_bias", nn.initializers.zeros, (size,))

    def _stack(self) -> RecurrentStack:
        config = self.config
        options: Json = {
            "cell": config.cell,
            "sizes": config.hidden_sizes,
            "dropout_rate": config.layer_dropout_rate,
            "dropout_shares_steps": config.dropout_shares_steps,
            "init_scale": config.init_scale,
            "forget_bias": config.forget_bias,
            "learn_initial_state": config.learn_initial_state,
            "weight_dropout_rate": config.weight_dropout_rate,
            "truncation": config.truncation,
            "matmul_dtype": self._matmul_dtype,
        }
        if config.block == "residual":
            return ResidualStack(**options, convolution_width=config.convolution_width)
        return RecurrentStack(**options)

    @property
    def _matmul_dtype(self) -> str | None:
        return None if self.config.matmul_dtype == "float32" else self.config.matmul_dtype

    def __call__(
        self,
        tokens: Array,
        carry: tuple[State, ...] | None = None,
        *,
        lengths: Array | None = None,
        resets: Array | None = None,
        deterministic: bool = True,
    ) -> LMOutput:
        """Returns the distribution of the next token after each token.

        Args:
            tokens: int32[B, T].
            carry: the state from an earlier call; None means the initial state.
            lengths: int32[B], the number of real tokens of each row, at least 1; None means T.
            resets: bool[B, R], R <= T; True at [b, t] resets row b to the initial state before
                step t.
            deterministic: False in training: units are dropped, with the random key "dropout".

        Returns:
            The logits, and the state after the last real token.
        """
        config = self.config
        hidden = self._embed(tokens, deterministic)
        hidden, carry = self.stack(
            hidden, carry, lengths=lengths, resets=resets, deterministic=deterministic
        )
        dropped = self._drop(hidden, config.output_dropout_rate, deterministic)
        penalty = None
        if not deterministic and (config.activation_penalty or config.temporal_penalty):
            penalty = config.activation_penalty * mean_square(dropped, lengths)
            penalty += config.temporal_penalty * mean_square(jnp.diff(hidden, axis=1), lengths, 1)
        softmax = self._softmax(dropped)
        return LMOutput(softmax.logits(), carry, softmax, penalty)

    def _embed(self, tokens: Array, deterministic: bool) -> Array | Lookup:
        config = self.config
        if deterministic or not (config.embedding_dropout_rate or config.word_dropout_rate):
            return embed(self.embedding, tokens)
        embedded = self.embedding[tokens]
        if config.word_dropout_rate:
            every_word = jnp.ones(self.vocabulary_size, embedded.dtype)
            kept = dropout(self.make_rng("dropout"), every_word, config.word_dropout_rate)
            embedded = embedded * kept[tokens][..., None]
        return self._drop(embedded, config.embedding_dropout_rate, deterministic)

    def _softmax(self, hidden: Array) -> SoftmaxInputs:
        kernel = self.embedding.T if self.config.tie_embeddings else self.output_kernel
        return SoftmaxInputs(hidden, kernel, self.output_bias, self._matmul_dtype)

    def read_out(self, hidden: Array) -> Array:
        """Returns logits [..., V] from outputs of the top layer [..., H]."""
        return self._softmax(hidden).logits()

    def zero_carry(self, batch_size: int) -> tuple[State, ...]:
        """Returns the initial states of the cells, which need no parameters.

        They serve as a carry to start a loop. The initial state of a sequence, which may be
        trained, is used by `carry=None` or a reset.
        """
        config = self.config
        return initial_carries(
            config.cell, config.hidden_sizes, batch_size, config.convolution_width
        )

    def _drop(self, x: Array, rate: float, deterministic: bool) -> Array:
        shared = (1,) if self.config.dropout_shares_steps else ()
        return drop(self, x, rate, deterministic, shared)
