"""Converts recurrent layers from and to PyTorch: state dicts of torch.nn.RNN, GRU and LSTM.

With row vectors and the gates side by side, torch.nn computes

    a_t = x_t weight_ih^T + bias_ih         s_t = h_{t-1} weight_hh^T + bias_hh

The order of the gates is i, f, g, o (LSTM) or r, z, n (GRU), as in `zoo.layers.cells`. So kernels
are only transposed. Only the sum of the two biases matters. The candidate n of a GRU is the
exception: its bias_hh stands inside the reset gate and is our `candidate_bias`.

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
        state: the state dict. Values are arrays or tensors of any floating-point type, with or
            without a gradient. The network may have any number of layers, one or two directions,
            and biases or no biases. Names that do not start with `prefix` are ignored.
        prefix: the beginning of the names, such as "rnn." for an attribute of that name.

    Returns:
        `layer_0`, ..., and `reverse_layer_0`, ... if the network is bidirectional, with float32
        arrays.

    Raises:
        UserError: a layer or an array is missing, an array has the wrong shape or has complex or
            infinite numbers, or the network has another form, such as projections.

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
    """Splits a name into weight or bias, ih or hh, the layer, and the direction."""
    own = name.removeprefix(prefix)
    if match := _NAME.fullmatch(own):
        return match.groups()
    if _CELL_NAME.fullmatch(own):
        raise UserError(
            f"{name!r} is a parameter of torch.nn.RNNCell, GRUCell or LSTMCell, not of RNN, GRU or "
            f"LSTM; rename it to {name + '_l0'!r}, and the other parameters likewise"
        )
    raise UserError(
        f"{name!r} is no parameter of torch.nn.RNN, GRU or LSTM; give the state dict of "
        "such a network only, without proj_size, or give its prefix"
    )


def _to_array(name: str, value: object) -> np.ndarray:
    """Returns an array or a tensor as finite float32.

    A tensor is recognised by its methods, because torch may not be installed. NumPy does not accept
    tensors that require a gradient, lie on an accelerator or have the type bfloat16.
    """
    if "complex" in str(getattr(value, "dtype", "")):
        raise UserError(f"{name} has complex numbers; give a network with real numbers")
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
    """Raises a UserError if a layer of a stack is missing or does not fit the others."""
    first = layers.get("layer_0", {})
    prefixes = ("", "reverse_") if any(name.startswith("r") for name in layers) else ("",)
    width = 0  # the width of the outputs of the layer below
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
    """Raises a UserError if a layer does not fit layer 0 or the layer below.

    Args:
        name: the name of the layer.
        arrays: the arrays of the layer in torch's form.
        width: the width of the outputs of the layer below; 0 for the lowest layer.
        num_gates: the number of gates of layer 0.
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
    """Raises a UserError if an array of a layer is missing or has the wrong shape."""
    needed = {"weight_ih", "weight_hh"} | ({"bias_ih", "bias_hh"} if len(arrays) > 2 else set())
    missing = needed - arrays.keys()
    if missing:
        raise UserError(
            f"{name} has no {', '.join(sorted(missing))}; give everything that state_dict() of the "
            "torch network returns"
        )
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
    """Returns the state dict of the torch network that computes the same as a `RecurrentStack`.

    Args:
        params: the parameters of the stack: `layer_0`, ..., and perhaps `reverse_layer_0`, ...
        cell: the name of the stack's cell.

    Returns:
        A float32 array for each name. `torch.from_numpy` converts it to a tensor for
        `load_state_dict`. The torch network needs batch_first=True and, for `elman_relu`,
        nonlinearity="relu".

    Raises:
        UserError: the stack has a cell or a learned initial state that torch does not have.

    Example:
        >>> params = stack_from_torch({"weight_ih_l0": np.ones((4, 3)), "weight_hh_l0": np.eye(4)})
        >>> sorted(stack_to_torch(params, "elman"))
        ['bias_hh_l0', 'bias_ih_l0', 'weight_hh_l0', 'weight_ih_l0']
    """
    if cell not in CELLS_OF_TORCH:
        raise UserError(
            f"the cell is {cell!r}, which torch.nn does not have; use one of "
            f"{', '.join(CELLS_OF_TORCH)}"
        )
    state: dict[str, np.ndarray] = {}
    for name, layer in params.items():
        if "initial_0" in layer:
            raise UserError(
                f"{name} has a learned initial state, which torch.nn's networks do not have; train "
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
