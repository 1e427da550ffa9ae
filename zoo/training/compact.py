"""Parameters in fewer bytes: half precision, or eight bits per weight with a scale for each row.

    q_ij = round(w_ij / s_i),    s_i = max_j |w_ij| / 127,    w_ij is read as s_i q_ij

for arrays with two or more axes, of which the last one is j. Vectors stay in float32. A matrix is
stored as {"eight_bits": q, "scales": s}, so that a reader needs no further record of it.
"""

from collections.abc import Callable

import numpy as np

from zoo.errors import UserError
from zoo.types import Params, PyTree

PRECISIONS = ("float32", "half", "int8")
_BITS, _SCALES = "eight_bits", "scales"
_LARGEST = 127


def compact(params: Params, precision: str) -> Params:
    """Returns float32 parameters in the form in which a precision stores them.

    Args:
        params: a nested dict of arrays.
        precision: one of PRECISIONS.

    Raises:
        UserError: if a parameter does not fit into half precision.

    Example:
        >>> stored = compact({"kernel": np.array([[0.5, -1.27]], np.float32)}, "int8")
        >>> stored["kernel"]["eight_bits"].tolist(), widen(stored)["kernel"].round(4).tolist()
        ([[50, -127]], [[0.5, -1.2699999809265137]])
    """
    store = {"float32": lambda name, leaf: leaf, "half": _halve, "int8": _quantize}[precision]
    return {
        name: compact(leaf, precision) if isinstance(leaf, dict) else _store(store, name, leaf)
        for name, leaf in params.items()
    }


def _store(store: Callable[[str, np.ndarray], PyTree], name: str, leaf: np.ndarray) -> PyTree:
    return store(name, leaf) if leaf.dtype == np.float32 else leaf


def _halve(name: str, leaf: np.ndarray) -> np.ndarray:
    if np.abs(leaf).max(initial=0) > np.finfo(np.float16).max:
        raise UserError(
            f"parameter {name} has values too large for 16 bits; release the model without --half"
        )
    return leaf.astype(np.float16)


def _quantize(name: str, leaf: np.ndarray) -> PyTree:
    del name
    if leaf.ndim < 2:
        return leaf
    scales = np.abs(leaf).max(axis=-1, keepdims=True) / _LARGEST
    bits = np.rint(leaf / np.where(scales > 0, scales, 1)).astype(np.int8)
    return {_BITS: bits, _SCALES: scales.astype(np.float32)}


def widened_shapes(shapes: PyTree) -> PyTree:
    """Returns the shapes that stored parameters have after `widen`.

    Args:
        shapes: a tree of `jax.ShapeDtypeStruct` with the shapes of the stored parameters.
    """
    if isinstance(shapes, dict) and shapes.keys() == {_BITS, _SCALES}:
        return shapes[_BITS]
    if isinstance(shapes, dict):
        return {name: widened_shapes(leaf) for name, leaf in shapes.items()}
    return shapes


def widen(params: Params) -> Params:
    """Returns stored parameters in float32, in which the model computes with them."""
    return {name: _widen(leaf) for name, leaf in params.items()}


def _widen(leaf: PyTree) -> PyTree:
    if isinstance(leaf, dict):
        if leaf.keys() == {_BITS, _SCALES}:
            return np.asarray(leaf[_BITS], np.float32) * leaf[_SCALES]
        return widen(leaf)
    return leaf.astype(np.float32) if leaf.dtype == np.float16 else leaf
