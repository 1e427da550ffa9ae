"""Recurrent layers inside residual blocks, for deep networks.

    n_t = norm(x_t)
    u_t = silu(b + sum_j K_j * n_{t-j})         j = 0, ..., k-1: the causal convolution, if k > 0
    x_t = x_t + W_m cell(u)_t
    x_t = x_t + W_d (silu(W_g norm(x_t)) * W_u norm(x_t))           the gated MLP, 2 D units

Each layer is a block, and a final norm follows the last block. `norm` divides by the root of the
mean square and multiplies by a trained scale (Zhang and Sennrich 2019). It comes before each part
(Xiong et al. 2020). The convolution of width 4 and its silu are from Mamba (Gu and Dao 2023), the
gated MLP from Shazeer 2020. The residual sums need equal widths, so all layers are as wide as x.

n is zero before the first step and before a reset. A layer passes on to the next call the state of
its cell and, if there is a convolution, the last k-1 inputs n.

Axes: B rows, T time, D width, k width of the convolution.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.errors import UserError
from zoo.layers.cells.base import State
from zoo.layers.fast.lookup import Lookup, take
from zoo.layers.initializers import Initializer, uniform
from zoo.layers.linear import product
from zoo.layers.masks import take_steps, widen_resets
from zoo.layers.recurrent import Options, Recurrence, RecurrentStack, initial_states

Array = jax.Array

BLOCKS = ("plain", "residual")
_EPSILON = 1e-6


def causal_convolution(
    inputs: Array, past: Array, kernel: Array, options: Options
) -> tuple[Array, Array]:
    """Returns sum_j K_j * n_{t-j} for every step t, and the inputs that the next call needs.

    Args:
        inputs: [B, T, D], n.
        past: [B, k-1, D], the last inputs of the previous call, in their order; zeros at the start.
        kernel: [k, D]; the last row is K_0, the factor of the step itself.
        options: the options of the stack. `lengths` is the number of real steps of each row; None
            means that all T steps are real. `resets` is bool[B, R] with R <= T; True at [b, t]
            treats all inputs of row b before step t as zero.

    Returns:
        [B, T, D], the sums; and [B, k-1, D], the inputs for the next call.

    Example:
        >>> x, kernel = jnp.array([[[1.0], [2.0], [3.0]]]), jnp.array([[10.0], [1.0]])
        >>> outputs, past = causal_convolution(x, jnp.zeros((1, 1, 1)), kernel, Options())
        >>> outputs.ravel().tolist(), past.ravel().tolist()
        ([1.0, 12.0, 23.0], [3.0])
    """
    steps, before = inputs.shape[1], past.shape[1]
    every = jnp.concatenate([past, inputs], axis=1)
    segments, lengths = None, options.lengths
    if options.resets is not None:  # the number of the stretch between two resets
        numbers = jnp.cumsum(widen_resets(options.resets, steps).astype(jnp.int32), axis=1)
        segments = jnp.pad(numbers, ((0, 0), (before, 0)))
    outputs = jnp.zeros_like(inputs)
    for shift in range(before + 1):
        seen = every[:, shift : shift + steps]
        if segments is not None:
            same = segments[:, shift : shift + steps] == segments[:, before:]
            seen = jnp.where(same[..., None], seen, 0)
        outputs = outputs + kernel[shift][None, None] * seen
    ends = jnp.full(inputs.shape[0], steps, jnp.int32) if lengths is None else jnp.asarray(lengths)
    index = ends[:, None] + jnp.arange(before, dtype=ends.dtype)[None]
    kept = take_steps(every, index)
    if segments is not None:
        last = take_steps(segments, ends[:, None] + before - 1)
        kept = jnp.where((take_steps(segments, index) == last)[..., None], kept, 0)
    return outputs, kept


def root_mean_square_norm(x: Array, scale: Array) -> Array:
    """Returns x [..., D], normalised to a mean square of one, times a scale [D].

    Example:
        >>> root_mean_square_norm(jnp.array([[2.0, 2.0]]), jnp.ones(2)).round(3).tolist()
        [[1.0, 1.0]]
    """
    mean_square = jnp.square(x).mean(axis=-1, keepdims=True)
    return x * jax.lax.rsqrt(mean_square + _EPSILON) * scale.reshape((1,) * (x.ndim - 1) + (-1,))


class ResidualParts(nn.Module):
    """The parts of a block except its cell.

    The parameters are `mix_norm` and `mlp_norm` [D], `convolution_kernel` [k, D] and
    `convolution_bias` [D] if k > 0, `mix_kernel` W_m [D, D], `gate_kernel` W_g and `up_kernel` W_u
    [D, 2 D], and `down_kernel` W_d [2 D, D].

    Attributes:
        width: D.
        convolution_width: k; 0 means no convolution.
        init_scale: kernels start uniform in (-init_scale, init_scale); 0 means Glorot's
            initialization. K starts uniform in +-1/sqrt(k) in any case.
        matmul_dtype: the precision of the products, see `zoo.layers.linear.product`.
    """

    width: int
    convolution_width: int = 0
    init_scale: float = 0.0
    matmul_dtype: str | None = None

    def setup(self) -> None:
        """Creates the parameters."""
        ones, zeros = nn.initializers.ones, nn.initializers.zeros
        init: Initializer = nn.initializers.glorot_uniform()
        if self.init_scale:
            init = uniform(self.init_scale)
        width, taps = self.width, self.convolution_width
        self.mix_norm = self.param("mix_norm", ones, (width,))
        self.mlp_norm = self.param("mlp_norm", ones, (width,))
        if taps:
            start = uniform(taps**-0.5)
            self.convolution_kernel = self.param("convolution_kernel", start, (taps, width))
            self.convolution_bias = self.param("convolution_bias", zeros, (width,))
        self.mix_kernel = self.param("mix_kernel", init, (width, width))
        self.gate_kernel = self.param("gate_kernel", init, (width, 2 * width))
        self.up_kernel = self.param("up_kernel", init, (width, 2 * width))
        self.down_kernel = self.param("down_kernel", init, (2 * width, width))

    def prepare(self, x: Array, past: Array | None, options: Options) -> tuple[Array, Array | None]:
        """Returns u [B, T, D], and the last inputs for the next call's convolution."""
        normed = root_mean_square_norm(x, self.mix_norm)
        if past is None:
            return normed, None
        mixed, past = causal_convolution(normed, past, self.convolution_kernel, options)
        return jax.nn.silu(mixed + self.convolution_bias[None, None]), past

    def mix(self, hidden: Array) -> Array:
        """Returns W_m h."""
        return self._product(hidden, self.mix_kernel)

    def transform(self, x: Array) -> Array:
        """Returns the output of the gated MLP, which is added to x."""
        normed = root_mean_square_norm(x, self.mlp_norm)
        gate = jax.nn.silu(self._product(normed, self.gate_kernel))
        return self._product(gate * self._product(normed, self.up_kernel), self.down_kernel)

    def _product(self, x: Array, kernel: Array) -> Array:
        return product(x, kernel, self.matmul_dtype)


class ResidualStack(RecurrentStack):
    """A stack of residual blocks in one direction.

    The parameters are `layer_0`, ... (the cells, see `RecurrentStack`), `block_0`, ... (see
    `ResidualParts`) and `norm` [D], the scale of the final norm.

    Attributes:
        sizes: D of each layer; all must equal the width of the inputs.
        dropout_rate: the fraction of each part's output that is dropped in training.
        convolution_width: k; 0 means no convolution.

    Example:
        >>> stack = ResidualStack(cell="gru", sizes=(6, 6), convolution_width=4)
        >>> x = jnp.ones((2, 5, 6))
        >>> outputs, carry = stack.apply(stack.init(jax.random.key(0), x), x)
        >>> outputs.shape, [array.shape for array in jax.tree.leaves(carry[0])]
        ((2, 5, 6), [(2, 6), (2, 3, 6)])
    """

    convolution_width: int = 0

    def setup(self) -> None:
        """Creates a cell and its block for each size, and the final norm."""
        if self.bidirectional:
            raise UserError("residual blocks read in one direction; use bidirectional=False")
        super().setup()
        self.block = [
            ResidualParts(size, self.convolution_width, self.init_scale, self.matmul_dtype)
            for size in self.sizes
        ]
        self.norm = self.param("norm", nn.initializers.ones, (self.sizes[-1],))

    def _run(
        self, index: int, inputs: Array | Lookup, start: State | None, options: Options
    ) -> Recurrence:
        """Returns the output of block number `index`, and its carry."""
        block = self.block[index]
        x = take(inputs) if isinstance(inputs, Lookup) else inputs
        start, past = self._split(start, x)
        hidden, past = block.prepare(x, past, options)
        found = self.layer[index](hidden, start, **options._asdict())
        x = x + self._drop(block.mix(found.outputs), options.deterministic)
        x = x + self._drop(block.transform(x), options.deterministic)
        return Recurrence(x, found.carry if past is None else (found.carry, past))

    def _finish(self, hidden: Array) -> Array:
        return root_mean_square_norm(hidden, self.norm)

    def _split(self, carry: State | None, x: Array) -> tuple[State | None, Array | None]:
        """Splits a carry into the cell's state (None: the initial state) and the past inputs."""
        if not self.convolution_width:
            return carry, None
        if carry is None:
            return None, jnp.zeros((x.shape[0], self.convolution_width - 1, x.shape[2]), x.dtype)
        return carry


def initial_carries(
    cell: str, sizes: tuple[int, ...], batch_size: int, convolution_width: int = 0
) -> tuple[State, ...]:
    """Returns the initial carry of each layer of a `ResidualStack` without learned states.

    Args:
        cell: the name of the cell.
        sizes: D of each layer.
        batch_size: B.
        convolution_width: k.

    Example:
        >>> [array.shape for array in jax.tree.leaves(initial_carries("gru", (3,), 2, 4))]
        [(2, 3), (2, 3, 3)]
    """
    states = initial_states(cell, sizes, batch_size)
    if not convolution_width:
        return states
    shapes = [(batch_size, convolution_width - 1, size) for size in sizes]
    return tuple((state, jnp.zeros(shape)) for state, shape in zip(states, shapes, strict=True))
