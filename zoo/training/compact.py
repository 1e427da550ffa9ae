"""Parameters in fewer bytes: half precision, or small integers with a scale for each row.

    q_ij = round(w_ij / s_i),    s_i = max_j |w_ij| / m,    w_ij is read as s_i q_ij

for arrays with two or more axes, of which the last one is j. The largest integer m is 127 for eight
bits per weight and 31 for six bits. Vectors stay in float32. A matrix is stored as
{"eight_bits": q, "scales": s}, so that a reader needs no further record of it. Six bits lie in
bytes as well; the compression of a release removes the bits that are left over.
"""

import numpy as np

from zoo.errors import UserError
from zoo.types import Params, PyTree

PRECISIONS = ("float32", "half", "int8", "int6")
_BITS, _SCALES = "eight_bits", "scales"
LARGEST = {"int8": 127, "int6": 31}  # m of each precision that rounds to integers


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
    return {
        name: compact(leaf, precision) if isinstance(leaf, dict) else _store(name, leaf, precision)
        for name, leaf in params.items()
    }


def _store(name: str, leaf: np.ndarray, precision: str) -> PyTree:
    if leaf.dtype != np.float32 or precision == "float32":
        return leaf
    return _halve(name, leaf) if precision == "half" else _quantize(leaf, LARGEST[precision])


def _halve(name: str, leaf: np.ndarray) -> np.ndarray:
    if np.abs(leaf).max(initial=0) > np.finfo(np.float16).max:
        raise UserError(
            f"parameter {name} has values too large for 16 bits; release the model without --half"
        )
    return leaf.astype(np.float16)


def _quantize(leaf: np.ndarray, largest: int) -> PyTree:
    if leaf.ndim < 2:
        return leaf
    scales = np.abs(leaf).max(axis=-1, keepdims=True) / largest
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
