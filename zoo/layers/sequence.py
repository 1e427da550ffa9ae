"""The batch of sequences that a cell runs over, with their starts, ends and resets."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from zoo.layers.cells.base import Projected, State
from zoo.layers.masks import real_steps, take_step

Array = jax.Array


class Sequences(NamedTuple):
    """A batch of sequences for a cell.

    Attributes:
        projected: [B, T, ...], the output of `Cell.project` for all inputs.
        start: [B, ...], the state before the first step.
        initial: [B, ...], the state after a reset.
        lengths: int32[B], the number of real steps of each row; None if all T steps are real.
        resets: bool[B, T], True if a row is reset before a step; None means no resets.
    """

    projected: Projected
    start: State
    initial: State
    lengths: Array | None
    resets: Array | None

    def time_major(self) -> tuple[Projected, Array | None, Array | None]:
        """Returns the inputs, the resets and the mask of all steps, [T, B, ...]."""
        projected = jax.tree.map(lambda array: array.swapaxes(0, 1), self.projected)
        resets, real = self.resets, self.real_steps()
        return (
            projected,
            None if resets is None else resets.swapaxes(0, 1),
            None if real is None else real.swapaxes(0, 1),
        )

    def real_steps(self) -> Array | None:
        """Returns bool[B, T], True at real steps; None if all steps are real."""
        if self.lengths is None:
            return None
        return real_steps(jax.tree.leaves(self.projected)[0], self.lengths)

    def without_padding(self, outputs: Array) -> Array:
        """Returns outputs [B, T, H] with zeros at padding."""
        real = self.real_steps()
        return outputs if real is None else jnp.where(real[..., None], outputs, 0)

    def last_real(self, states: State) -> State:
        """Returns the states after the last real step of each row, from states [T, B, ...]."""
        lengths = self.lengths
        if lengths is None:
            return jax.tree.map(lambda state: state[-1], states)
        return jax.tree.map(lambda state: take_step(state.swapaxes(0, 1), lengths - 1), states)
