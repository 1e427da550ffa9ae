"""Cells beside values that other libraries' own code gave: outputs, last states and gradients.

The values stand beside the checkout, where there are some; tests/layers/test_every_cell.py covers
the same code without them.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from layers.published_forms import FORMS
from tiny_run import ROOT

GOLD = ROOT.parent / "shared" / "oracles" / "cells"
SHORT, LONG = ("T7_s0", "T7_s1"), ("T64_s0", "T64_s1")  # steps and seed; seed 1 starts from zeros

pytestmark = [
    pytest.mark.usefixtures("float64"),
    pytest.mark.skipif(not GOLD.exists(), reason="the published values are not here"),
]


def part_of(values: Any, case: str, part: str) -> dict[str, Any]:
    """What a file has under `case/part.`, by the rest of its name."""
    start = f"{case}/{part}."
    return {
        name[len(start) :]: jnp.asarray(values[name])
        for name in values.files
        if name.startswith(start)
    }


@pytest.mark.parametrize(("scan", "cases"), [("auto", SHORT + LONG), ("sequential", SHORT)])
@pytest.mark.parametrize("file", FORMS)
def test_values_and_gradients_are_the_published_ones(
    file: str, scan: str, cases: tuple[str, ...]
) -> None:
    """Long sequences go step by step in no other way than short ones."""
    values = np.load(GOLD / f"{file}.npz", allow_pickle=False)
    for case in cases:
        arguments = [part_of(values, case, part) for part in ("in", "param", "state0")]
        arguments[0].pop("segment_pos", None)
        weight = jnp.asarray(values[f"{case}/wt"])

        def forward(*arguments: Any, weight: Any = weight) -> Any:
            result = FORMS[file](*arguments, scan)
            return (result["y"] * weight).sum(), result

        differentiate = jax.jit(jax.grad(forward, (0, 1, 2), has_aux=True))
        grads, found = differentiate(*arguments)
        wanted = part_of(values, case, "out")
        for name in found:
            np.testing.assert_allclose(found[name], wanted[name], rtol=1e-9, atol=1e-10)
        for grad, part in zip(grads, ("in", "param", "state0"), strict=True):
            for name, expected in part_of(values, case, f"grad.{part}").items():
                scale = max(1.0, float(np.abs(expected).max()))
                np.testing.assert_allclose(grad[name], expected, rtol=1e-8, atol=1e-10 * scale)
