"""What a cell is run over: a batch of sequences, with where they start, end and start anew."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from zoo.layers.cells.base import Projected, State
from zoo.layers.masks import real_steps

Array = jax.Array


class Sequences(NamedTuple):
    """What a cell is run over.

    Attributes:
        projected: [B, T, ...], what the cell made of all inputs.
        start: [B, ...], the state before the first step.
        initial: [B, ...], the state that a reset returns to.
        lengths: int32[B], the number of real steps of each row; None if all T are real.
        resets: bool[B, T]; None for none.
    """

    projected: Projected
    start: State
    initial: State
    lengths: Array | None
    resets: Array | None

    def time_major(self) -> tuple[Projected, Array | None, Array | None]:
        """What every step reads: its inputs, its resets and whether it is real, [T, B, ...]."""
        projected = jax.tree.map(lambda array: array.swapaxes(0, 1), self.projected)
        resets, real = self.resets, self.real_steps()
        return (
            projected,
            None if resets is None else resets.swapaxes(0, 1),
            None if real is None else real.swapaxes(0, 1),
        )

    def real_steps(self) -> Array | None:
        """bool[B, T], whether a step is no padding; None if all are real."""
        if self.lengths is None:
            return None
        return real_steps(jax.tree.leaves(self.projected)[0], self.lengths)

    def without_padding(self, outputs: Array) -> Array:
        """Outputs [B, T, H], zero at padding."""
        real = self.real_steps()
        return outputs if real is None else jnp.where(real[..., None], outputs, 0)

    def last_real(self, states: State) -> State:
        """Of states [T, B, ...] those after each row's last real step."""
        lengths = self.lengths
        if lengths is None:
            return jax.tree.map(lambda state: state[-1], states)
        rows = jnp.arange(lengths.shape[0])
        return jax.tree.map(lambda state: state[lengths - 1, rows], states)
