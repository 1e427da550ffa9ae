"""Recurrent layers from and for Flax: the cells of flax.linen, as `nn.RNN` runs them.

Flax keeps a matrix for every gate and either side, named by both: `ii`, `if`, `ig`, `io` and `hi`,
`hf`, `hg`, `ho` (LSTMCell, OptimizedLSTMCell), `ir`, `iz`, `in` and `hr`, `hz`, `hn` (GRUCell), `i`
and `h` (SimpleCell). Ours are the gates' blocks side by side. The equations are the same; which
side has the bias differs, and only the sum matters but for `hn` of a GRU, our `candidate_bias`.

Axes: D input features, H units, G gates.
"""

from collections.abc import Mapping

import numpy as np

from zoo.errors import UserError
from zoo.types import PyTree

# Of each of our cells' numbers of gates, Flax's names, in the order of our blocks.
_GATES = {1: ("",), 3: ("r", "z", "n"), 4: ("i", "f", "g", "o")}
_GRU_GATES = 3
CELLS_OF_FLAX = ("elman", "gru", "lstm")

LayerParams = dict[str, np.ndarray]


def layer_from_flax(params: Mapping[str, PyTree]) -> LayerParams:
    """The parameters of a `RecurrentLayer` from those of a Flax cell.

    Args:
        params: of SimpleCell, GRUCell, LSTMCell or OptimizedLSTMCell, or of an `nn.RNN` of one
            (`{"cell": {...}}`).

    Raises:
        UserError: they are of something else.

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
            f"these parameters are named {', '.join(sorted(cell))}; expected those of one "
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
    """The parameters of the Flax cell that computes what a `RecurrentLayer` does.

    Args:
        layer: the layer's parameters.
        cell: the layer's cell.

    Returns:
        Those of SimpleCell, GRUCell or OptimizedLSTMCell (LSTMCell has the same); for `nn.RNN`, put
        them under "cell".

    Raises:
        UserError: a cell or a learned initial state that Flax does not have.

    Example:
        >>> kernel = np.eye(2, dtype=np.float32)
        >>> params = {"input_kernel": kernel, "recurrent_kernel": kernel, "bias": np.zeros(2)}
        >>> sorted(layer_to_flax(params, "elman"))
        ['h', 'i']
    """
    if cell not in CELLS_OF_FLAX:
        raise UserError(
            f"the cell is {cell!r}, which flax.linen does not have; it has those of "
            f"{', '.join(CELLS_OF_FLAX)}"
        )
    if "initial_0" in layer:
        raise UserError(
            "this layer has a learned initial state, which Flax's cells don't have; train with "
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
    bias_side = "h" if len(gates) == len(_GATES[4]) else "i"  # where Flax's cells have it
    for gate, block in zip(gates, _blocks(layer["bias"], len(gates)), strict=True):
        params[bias_side + gate]["bias"] = block
    if "candidate_bias" in layer:
        params["hn"]["bias"] = np.asarray(layer["candidate_bias"], np.float32)
    return params


def _names(gates: tuple[str, ...]) -> list[str]:
    return [side + gate for side in "ih" for gate in gates]


def _blocks(array: np.ndarray, count: int) -> list[np.ndarray]:
    """An array's equal parts along its last axis."""
    return np.split(np.asarray(array, np.float32), count, axis=-1)
