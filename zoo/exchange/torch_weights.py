"""Recurrent layers from and for PyTorch: state dicts of torch.nn.RNN, GRU and LSTM as arrays.

torch.nn computes, with row vectors and the gates side by side,

    a_t = x_t weight_ih^T + bias_ih         s_t = h_{t-1} weight_hh^T + bias_hh

in the order i, f, g, o (LSTM) or r, z, n (GRU), which are the blocks of `zoo.layers.cells`. So the
kernels are transposed, and of the two biases only the sum matters, but for the candidate n of a
GRU, whose bias_hh stands inside the reset gate and is our `candidate_bias`.

Axes: D input features, H units, G gates.
"""

import re
from collections.abc import Mapping

import numpy as np

from zoo.errors import UserError
from zoo.types import PyTree

_NAME = re.compile(r"(weight|bias)_(ih|hh)_l(0|[1-9][0-9]*)(_reverse)?")
_CELL_NAME = re.compile(r"(weight|bias)_(ih|hh)")
_GATES = (1, 3, 4)  # of an Elman network, a GRU, an LSTM
_GRU_GATES = 3
CELLS_OF_TORCH = ("elman", "elman_relu", "gru", "lstm")

LayerParams = dict[str, np.ndarray]


def stack_from_torch(state: Mapping[str, object], prefix: str = "") -> dict[str, LayerParams]:
    """Returns the parameters of a `RecurrentStack` from a state dict.

    Args:
        state: name to array or tensor, of any floating-point type, with or without a gradient; any
            number of layers, one direction or two, with biases or without. Names that do not start
            with `prefix` are left alone.
        prefix: the beginning of the names, such as "rnn." for an attribute of that name.

    Returns:
        `layer_0`, ... and, of a bidirectional network, `reverse_layer_0`, ...: float32 arrays.

    Raises:
        UserError: a layer or an array is missing, an array has the wrong shape or numbers that are
            complex or not finite, or the network is another one, such as one with projections.

    Example:
        >>> state = {"weight_ih_l0": np.ones((4, 3)), "weight_hh_l0": np.eye(4)}
        >>> params = stack_from_torch(state)
        >>> {name: array.shape for name, array in params["layer_0"].items()}
        {'input_kernel': (3, 4), 'recurrent_kernel': (4, 4), 'bias': (4,)}
    """
    if not isinstance(state, Mapping):
        raise UserError(f"{type(state).__name__} is no state dict; give module.state_dict()")
    layers: dict[str, dict[str, np.ndarray]] = {}
    for name, value in state.items():
        if not str(name).startswith(prefix):
            continue
        kind, side, number, reverse = _parts_of_name(str(name), prefix)
        layer = f"{'reverse_' if reverse else ''}layer_{number}"
        layers.setdefault(layer, {})[f"{kind}_{side}"] = _to_array(str(name), value)
    if not layers:
        raise UserError(f"the state dict has no parameter that starts with {prefix!r}")
    params = {name: _layer_from_torch(name, arrays) for name, arrays in layers.items()}
    _check_layers(layers)
    return params


def _parts_of_name(name: str, prefix: str) -> tuple[str | None, ...]:
    """Returns what a name says: weight or bias, ih or hh, the layer, and whether it is reverse."""
    own = name.removeprefix(prefix)
    if match := _NAME.fullmatch(own):
        return match.groups()
    if _CELL_NAME.fullmatch(own):
        raise UserError(
            f"{name!r} is a parameter of torch.nn.RNNCell, GRUCell or LSTMCell; expected those of "
            f"RNN, GRU or LSTM; a cell is a layer: rename it to {name + '_l0'!r}, the others too"
        )
    raise UserError(
        f"{name!r} is no parameter of torch.nn.RNN, GRU or LSTM; give the state dict of "
        "one alone, without proj_size, or its prefix"
    )


def _to_array(name: str, value: object) -> np.ndarray:
    """Returns an array or a tensor as finite float32.

    A tensor gets here by what it can do, since torch need not be installed: NumPy neither takes
    one that requires a gradient, nor one on an accelerator, nor bfloat16.
    """
    if "complex" in str(getattr(value, "dtype", "")):
        raise UserError(f"{name} has complex numbers; expected real ones; give a network of those")
    try:
        for step in ("detach", "cpu", "float"):
            if hasattr(value, "detach") and hasattr(value, step):
                value = getattr(value, step)()
        with np.errstate(over="ignore"):
            array = np.asarray(value.numpy() if hasattr(value, "numpy") else value, np.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        reason = str(error).split("\n")[0].strip(" .")
        raise UserError(
            f"{name} cannot be read as numbers: {reason}; expected a dense tensor with data, "
            "or an array; load the weights before they are handed over"
        ) from error
    if not np.isfinite(array).all():
        value = array[~np.isfinite(array)][0]
        raise UserError(
            f"{name} has {value}; expected finite numbers of float32; take weights from before "
            "the training diverged"
        )
    return array


def _check_layers(layers: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Refuses a stack in which a layer is missing or does not fit the others."""
    first = layers.get("layer_0", {})
    prefixes = ("", "reverse_") if any(name.startswith("r") for name in layers) else ("",)
    width = 0  # of what the layer below gives
    for number in range(-(-len(layers) // len(prefixes))):
        size = 0
        for name in (f"{start}layer_{number}" for start in prefixes):
            if name not in layers:
                raise UserError(
                    f"{name} is missing, but there is {max(layers)}; give the whole state dict, "
                    "whose layers begin at 0"
                )
            arrays = layers[name]
            for key in first.keys() ^ arrays.keys():
                raise UserError(
                    f"only one of layer_0 and {name} has {key}; give the whole state dict"
                )
            _check_fit(name, arrays, width, _num_gates(first))
            size += arrays["weight_hh"].shape[1]
        width = size


def _check_fit(name: str, arrays: Mapping[str, np.ndarray], width: int, num_gates: int) -> None:
    """Refuses a layer with other gates than layer 0, or other inputs than the layer below gives.

    Args:
        name: the layer.
        arrays: its arrays as torch has them.
        width: how many numbers the layer below gives; 0 of none.
        num_gates: the gates of layer 0.
    """
    if _num_gates(arrays) != num_gates:
        raise UserError(
            f"{name} has {_num_gates(arrays)} gates, but layer_0 has {num_gates}; give layers of "
            "one kind"
        )
    num_inputs = arrays["weight_ih"].shape[1]
    if width and num_inputs != width:
        raise UserError(
            f"weight_ih of {name} takes {num_inputs} numbers, but the layer below gives {width}; "
            "give the layers of one network"
        )


def _num_gates(arrays: Mapping[str, np.ndarray]) -> int:
    rows, size = arrays["weight_hh"].shape
    return rows // size


def _layer_from_torch(name: str, arrays: dict[str, np.ndarray]) -> LayerParams:
    _check_shapes(name, arrays)
    width, size = arrays["weight_hh"].shape
    zero = np.zeros(width, np.float32)
    bias, recurrent_bias = arrays.get("bias_ih", zero), arrays.get("bias_hh", zero)
    params = {
        "input_kernel": arrays["weight_ih"].T.copy(),
        "recurrent_kernel": arrays["weight_hh"].T.copy(),
        "bias": bias + recurrent_bias,
    }
    if width // size == _GRU_GATES:
        params["candidate_bias"] = recurrent_bias[2 * size :].copy()
        params["bias"][2 * size :] = bias[2 * size :]
    return params


def _check_shapes(name: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Refuses a layer that lacks an array, or has one of another shape than its units need."""
    needed = {"weight_ih", "weight_hh"} | ({"bias_ih", "bias_hh"} if len(arrays) > 2 else set())
    missing = needed - arrays.keys()
    if missing:
        raise UserError(f"{name} has no {', '.join(sorted(missing))}; give the whole state dict")
    for key in ("weight_hh", "weight_ih"):
        if arrays[key].ndim != 2 or not arrays[key].size:
            raise UserError(
                f"{key} of {name} has the shape {arrays[key].shape}; expected a matrix; "
                "give the state dict as torch writes it"
            )
    width, size = arrays["weight_hh"].shape
    gates = width // size
    shapes = {
        "weight_hh": (gates * size, size),
        "weight_ih": (width, arrays["weight_ih"].shape[1]),
        "bias_ih": (width,),
        "bias_hh": (width,),
    }
    for key, shape in shapes.items():
        if key in arrays and (gates not in _GATES or arrays[key].shape != shape):
            raise UserError(
                f"{key} of {name} has the shape {arrays[key].shape}; expected {shape} for {size} "
                "units and 1, 3 or 4 gates"
            )


def stack_to_torch(params: Mapping[str, Mapping[str, PyTree]], cell: str) -> dict[str, np.ndarray]:
    """The state dict of torch.nn.RNN, GRU or LSTM that computes what a `RecurrentStack` does.

    Args:
        params: the stack's parameters: `layer_0`, ..., maybe `reverse_layer_0`, ...
        cell: the stack's cell.

    Returns:
        Name to float32 array; `torch.from_numpy` makes each a tensor for `load_state_dict`. The
        network takes batch_first=True and, for `elman_relu`, nonlinearity="relu".

    Raises:
        UserError: a cell or a learned initial state, which torch's networks don't have.

    Example:
        >>> params = stack_from_torch({"weight_ih_l0": np.ones((4, 3)), "weight_hh_l0": np.eye(4)})
        >>> sorted(stack_to_torch(params, "elman"))
        ['bias_hh_l0', 'bias_ih_l0', 'weight_hh_l0', 'weight_ih_l0']
    """
    if cell not in CELLS_OF_TORCH:
        raise UserError(
            f"the cell is {cell!r}, which torch.nn has no network of; it has those of "
            f"{', '.join(CELLS_OF_TORCH)}"
        )
    state: dict[str, np.ndarray] = {}
    for name, layer in params.items():
        if "initial_0" in layer:
            raise UserError(
                f"{name} has a learned initial state, which torch.nn's networks don't have; train "
                "with model.learn_initial_state=False"
            )
        suffix = f"l{name.rsplit('_', 1)[1]}" + ("_reverse" if name.startswith("reverse_") else "")
        bias = np.asarray(layer["bias"], np.float32)
        recurrent_bias = np.zeros_like(bias)
        if "candidate_bias" in layer:
            recurrent_bias[2 * len(bias) // _GRU_GATES :] = layer["candidate_bias"]
        state[f"weight_ih_{suffix}"] = np.asarray(layer["input_kernel"], np.float32).T.copy()
        state[f"weight_hh_{suffix}"] = np.asarray(layer["recurrent_kernel"], np.float32).T.copy()
        state[f"bias_ih_{suffix}"] = bias
        state[f"bias_hh_{suffix}"] = recurrent_bias
    return state
