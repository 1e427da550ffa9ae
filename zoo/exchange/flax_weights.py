"""Converts recurrent layers from and to Flax: the cells of flax.linen, as `nn.RNN` runs them.

Flax has a matrix for each side and gate, named after both: `ii`, `if`, `ig`, `io` and `hi`, `hf`,
`hg`, `ho` (LSTMCell, OptimizedLSTMCell), `ir`, `iz`, `in` and `hr`, `hz`, `hn` (GRUCell), `i` and
`h` (SimpleCell). Our kernels have the blocks of the gates side by side. The equations are the same.
The side of the bias differs, but only the sum of both biases matters. The exception is `hn` of a
GRU, which is our `candidate_bias`.

Axes: D input features, H units, G gates.
"""

from collections.abc import Mapping

import numpy as np

from zoo.errors import UserError
from zoo.types import PyTree

# For each number of gates, Flax's names in the order of our blocks.
_GATES = {1: ("",), 3: ("r", "z", "n"), 4: ("i", "f", "g", "o")}
_GRU_GATES = 3
CELLS_OF_FLAX = ("elman", "gru", "lstm")

LayerParams = dict[str, np.ndarray]


def layer_from_flax(params: Mapping[str, PyTree]) -> LayerParams:
    """Returns the parameters of a `RecurrentLayer` from the parameters of a Flax cell.

    Args:
        params: the parameters of a SimpleCell, GRUCell, LSTMCell or OptimizedLSTMCell, or of an
            `nn.RNN` with such a cell (`{"cell": {...}}`).

    Raises:
        UserError: the parameters belong to another module.

    Example:
        >>> cell = {"i": {"kernel": np.ones((3, 4))}, "h": {"kernel": np.eye(4)}}
        >>> sorted(layer_from_flax({"cell": cell}))
        ['bias', 'input_kernel', 'recurrent_kernel']
    """
    cell = params.get("cell", params)
    by_names = {frozenset(_names(gates)): gates for gates in _GATES.values()}
    gates = by_names.get(frozenset(cell))
    if gates is None:
        raise UserError(
            f"these parameters are named {', '.join(sorted(cell))}; give the parameters of one "
            "SimpleCell, GRUCell, LSTMCell or OptimizedLSTMCell of flax.linen"
        )
    kernels = {
        side: np.concatenate(
            [np.asarray(cell[side + gate]["kernel"], np.float32) for gate in gates], axis=1
        )
        for side in "ih"
    }
    size = len(kernels["h"])
    zero = np.zeros(size, np.float32)
    biases = {name: np.asarray(cell[name].get("bias", zero), np.float32) for name in _names(gates)}
    layer = {
        "input_kernel": kernels["i"],
        "recurrent_kernel": kernels["h"],
        "bias": np.concatenate([biases[f"i{gate}"] + biases[f"h{gate}"] for gate in gates]),
    }
    if len(gates) == _GRU_GATES:
        layer["bias"][2 * size :] = biases["in"]
        layer["candidate_bias"] = biases["hn"]
    return layer


def layer_to_flax(layer: Mapping[str, PyTree], cell: str) -> dict[str, dict[str, np.ndarray]]:
    """Returns the parameters of the Flax cell that computes the same as a `RecurrentLayer`.

    Args:
        layer: the parameters of the layer.
        cell: the name of the layer's cell.

    Returns:
        The parameters of a SimpleCell, GRUCell or OptimizedLSTMCell (LSTMCell has the same). For
        `nn.RNN`, put them under "cell".

    Raises:
        UserError: the layer has a cell or a learned initial state that Flax does not have.

    Example:
        >>> kernel = np.eye(2, dtype=np.float32)
        >>> params = {"input_kernel": kernel, "recurrent_kernel": kernel, "bias": np.zeros(2)}
        >>> sorted(layer_to_flax(params, "elman"))
        ['h', 'i']
    """
    if cell not in CELLS_OF_FLAX:
        raise UserError(
            f"the cell is {cell!r}, which flax.linen does not have; use one of "
            f"{', '.join(CELLS_OF_FLAX)}"
        )
    if "initial_0" in layer:
        raise UserError(
            "this layer has a learned initial state, which Flax's cells do not have; train with "
            "model.learn_initial_state=False"
        )
    size = len(layer["recurrent_kernel"])
    gates = _GATES[np.shape(layer["recurrent_kernel"])[1] // size]
    sides = {"i": layer["input_kernel"], "h": layer["recurrent_kernel"]}
    params: dict[str, dict[str, np.ndarray]] = {
        side + gate: {"kernel": block}
        for side, kernel in sides.items()
        for gate, block in zip(gates, _blocks(kernel, len(gates)), strict=True)
    }
    bias_side = "h" if len(gates) == len(_GATES[4]) else "i"  # Flax's cells have one bias
    for gate, block in zip(gates, _blocks(layer["bias"], len(gates)), strict=True):
        params[bias_side + gate]["bias"] = block
    if "candidate_bias" in layer:
        params["hn"]["bias"] = np.asarray(layer["candidate_bias"], np.float32)
    return params


def _names(gates: tuple[str, ...]) -> list[str]:
    return [side + gate for side in "ih" for gate in gates]


def _blocks(array: np.ndarray, count: int) -> list[np.ndarray]:
    """Returns an array's equal parts along its last axis."""
    return np.split(np.asarray(array, np.float32), count, axis=-1)
