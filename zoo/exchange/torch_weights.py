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
from typing import Any

import numpy as np

from zoo.errors import UserError

_NAME = re.compile(r"(weight|bias)_(ih|hh)_l(\d+)(_reverse)?")
_GATES = (1, 3, 4)  # of an Elman network, a GRU, an LSTM
_GRU_GATES = 3

LayerParams = dict[str, np.ndarray]


def stack_from_torch(state: Mapping[str, Any], prefix: str = "") -> dict[str, LayerParams]:
    """The parameters of a `RecurrentStack` from a state dict.

    Args:
        state: name to array, or to a tensor on the CPU; any number of layers, one direction or two,
            with biases or without. What does not start with `prefix` is left alone.
        prefix: of the names, such as "rnn." for an attribute of that name.

    Returns:
        `layer_0`, ... and, of a bidirectional network, `reverse_layer_0`, ...: float32 arrays.

    Raises:
        UserError: an array is missing or of the wrong shape, or the network has projections.

    Example:
        >>> state = {"weight_ih_l0": np.ones((4, 3)), "weight_hh_l0": np.eye(4)}
        >>> params = stack_from_torch(state)
        >>> {name: array.shape for name, array in params["layer_0"].items()}
        {'input_kernel': (3, 4), 'recurrent_kernel': (4, 4), 'bias': (4,)}
    """
    layers: dict[str, dict[str, np.ndarray]] = {}
    for name, value in state.items():
        if not name.startswith(prefix):
            continue
        match = _NAME.fullmatch(name.removeprefix(prefix))
        if match is None:
            raise UserError(
                f"{name!r} is no parameter of torch.nn.RNN, GRU or LSTM; give the state dict of "
                "one alone, without proj_size, or its prefix"
            )
        kind, side, number, reverse = match.groups()
        layer = f"{'reverse_' if reverse else ''}layer_{number}"
        layers.setdefault(layer, {})[f"{kind}_{side}"] = np.asarray(value, np.float32)
    if not layers:
        raise UserError(f"the state dict has no parameter that starts with {prefix!r}")
    return {name: _layer_from_torch(name, arrays) for name, arrays in layers.items()}


def _layer_from_torch(name: str, arrays: dict[str, np.ndarray]) -> LayerParams:
    missing = {"weight_ih", "weight_hh"} - arrays.keys()
    if missing:
        raise UserError(f"{name} has no {', '.join(sorted(missing))}; give the whole state dict")
    width, size = arrays["weight_hh"].shape
    gates = width // size
    shapes = {
        "weight_hh": (gates * size, size),
        "weight_ih": (width, arrays["weight_ih"].shape[-1]),
        "bias_ih": (width,),
        "bias_hh": (width,),
    }
    for key, shape in shapes.items():
        if gates not in _GATES or arrays.get(key, np.empty(shape)).shape != shape:
            raise UserError(
                f"{key} of {name} has the shape {arrays[key].shape}; expected {shape} for {size} "
                "units and 1, 3 or 4 gates"
            )
    zero = np.zeros(width, np.float32)
    bias, recurrent_bias = arrays.get("bias_ih", zero), arrays.get("bias_hh", zero)
    params = {
        "input_kernel": arrays["weight_ih"].T.copy(),
        "recurrent_kernel": arrays["weight_hh"].T.copy(),
        "bias": bias + recurrent_bias,
    }
    if gates == _GRU_GATES:
        params["candidate_bias"] = recurrent_bias[2 * size :].copy()
        params["bias"][2 * size :] = bias[2 * size :]
    return params


def stack_to_torch(params: Mapping[str, Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """The state dict of torch.nn.RNN, GRU or LSTM that computes what a `RecurrentStack` does.

    Args:
        params: the stack's parameters: `layer_0`, ..., maybe `reverse_layer_0`, ...

    Returns:
        Name to float32 array; `torch.from_numpy` makes each a tensor for `load_state_dict`. The
        network takes batch_first=True and, for `elman_relu`, nonlinearity="relu".

    Raises:
        UserError: a learned initial state, which torch's networks don't have.

    Example:
        >>> params = stack_from_torch({"weight_ih_l0": np.ones((4, 3)), "weight_hh_l0": np.eye(4)})
        >>> sorted(stack_to_torch(params))
        ['bias_hh_l0', 'bias_ih_l0', 'weight_hh_l0', 'weight_ih_l0']
    """
    state: dict[str, np.ndarray] = {}
    for name, layer in params.items():
        if "initial_0" in layer:
            raise UserError(
                f"{name} has a learned initial state, which torch.nn's networks don't have; train "
                "with --config.model.learn_initial_state=False"
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
