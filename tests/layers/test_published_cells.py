"""Cells beside values that other libraries' own code gave: outputs, last states and gradients.

The values stand beside the checkout, where there are some. Each file has the parameters in the form
of its library; a function of a few lines says what they are in ours, and is differentiated too.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_run import ROOT

from zoo.layers.cells import make_cell
from zoo.layers.recurrence import recurrence

GOLD = ROOT.parent / "shared" / "oracles" / "cells"
CASES = ("T7_s0", "T7_s1", "T64_s0", "T64_s1")  # length and seed; seed 1 starts from zeros

pytestmark = [
    pytest.mark.usefixtures("float64"),
    pytest.mark.skipif(not GOLD.exists(), reason="the published values are not here"),
]


def from_torch(given: dict[str, Any]) -> dict[str, Any]:
    """torch.nn.RNN and LSTM, and GRU with a second bias inside its reset gate."""
    bias, recurrent = given["bias_ih_l0"], given["bias_hh_l0"]
    params = {"input_kernel": given["weight_ih_l0"].T, "recurrent_kernel": given["weight_hh_l0"].T}
    size = given["weight_hh_l0"].shape[1]
    if len(bias) != 3 * size:
        return params | {"bias": bias + recurrent}
    both = jnp.concatenate([(bias + recurrent)[: 2 * size], bias[2 * size :]])
    return params | {"bias": both, "candidate_bias": recurrent[2 * size :]}


def from_tensorflow(given: dict[str, Any]) -> dict[str, Any]:
    """tf_keras' LSTMCell with peepholes: blocks i, g, f, o, and 1 is added to f's sum."""
    size = len(given["w_f_diag"])

    def order(array: Any) -> Any:
        i, g, f, o = jnp.split(array, 4, axis=-1)
        return jnp.concatenate([i, f, g, o], axis=-1)

    inputs = given["kernel"].shape[0] - size
    return {
        "input_kernel": order(given["kernel"][:inputs]),
        "recurrent_kernel": order(given["kernel"][inputs:]),
        "bias": order(given["bias"]).at[size : 2 * size].add(1.0),
        "input_peephole": given["w_i_diag"],
        "forget_peephole": given["w_f_diag"],
        "output_peephole": given["w_o_diag"],
    }


# File, our cell, what their parameters are in ours, and the names of its states.
PUBLISHED = [
    ("rnn_tanh", "elman", from_torch, "h"),
    ("rnn_relu", "elman_relu", from_torch, "h"),
    ("gru_reset_after", "gru", from_torch, "h"),
    ("lstm", "lstm", from_torch, "hc"),
    ("lstm_peephole_tf", "peephole_lstm", from_tensorflow, "hc"),
]


def part_of(values: Any, case: str, part: str) -> dict[str, Any]:
    """What a file has under `case/part.`, by the rest of its name."""
    start = f"{case}/{part}."
    return {
        name[len(start) :]: jnp.asarray(values[name])
        for name in values.files
        if name.startswith(start)
    }


@pytest.mark.parametrize("scan", ["auto", "sequential"])
@pytest.mark.parametrize(("file", "name", "translate", "states"), PUBLISHED)
def test_values_and_gradients_are_the_published_ones(
    file: str, name: str, translate: Callable, states: str, scan: str
) -> None:
    values = np.load(GOLD / f"{file}.npz", allow_pickle=False)
    for case in CASES:
        given, start = part_of(values, case, "param"), part_of(values, case, "state0")
        wanted, weight = part_of(values, case, "out"), jnp.asarray(values[f"{case}/wt"])

        def forward(given: Any, inputs: Any, start: Any, weight: Any = weight) -> Any:
            cell = make_cell(name, size=weight.shape[-1])
            carry = tuple(start[state] for state in states)
            result = recurrence(cell, translate(given), inputs, carry, scan=scan)
            return (result.outputs * weight).sum(), result

        differentiate = jax.jit(jax.grad(forward, (0, 1, 2), has_aux=True))
        inputs = jnp.asarray(values[f"{case}/in.x"])
        grads, result = differentiate(given, inputs, start)
        found = {"y": result.outputs}
        found |= {f"final.{state}": last for state, last in zip(states, result.carry, strict=True)}
        expected = [wanted, part_of(values, case, "grad.param"), values[f"{case}/grad.in.x"]]
        expected.append(part_of(values, case, "grad.state0"))
        for got, want in zip([found, *grads], expected, strict=True):
            for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
