"""What torch 2.14 computed on weights that a formula gives is the evidence; torch is not needed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.errors import UserError
from zoo.exchange.torch_weights import stack_from_torch, stack_to_torch
from zoo.layers.cells import get_cell
from zoo.layers.recurrent import RecurrentStack

D, H = 3, 2
# Outputs of the second row: two layers, both directions, batch_first, weights as in `state_dict`.
GOLD = {
    "elman": [
        [-0.087673, 0.632244, -0.235142, 0.651487],
        [-0.48648, 0.731258, 0.140525, 0.587475],
        [-0.01059, 0.461818, -0.097582, 0.540539],
        [-0.365649, 0.621626, 0.033848, 0.595356],
    ],
    "elman_relu": [
        [0.235418, 0.42661, 0.0, 0.473044],
        [0.043183, 0.212474, 0.235633, 0.32556],
        [0.307208, 0.181911, 0.035334, 0.357772],
        [0.062848, 0.244762, 0.189095, 0.414285],
    ],
    "gru": [
        [0.097988, -0.250333, 0.127986, -0.6176],
        [0.191933, -0.367519, 0.122623, -0.608225],
        [0.19561, -0.291869, 0.10875, -0.560062],
        [0.213245, -0.286473, 0.052414, -0.452101],
    ],
    "lstm": [
        [-0.034326, -0.103098, -0.105039, -0.158695],
        [-0.047093, -0.135133, -0.105578, -0.15476],
        [-0.062353, -0.137341, -0.094055, -0.146695],
        [-0.066071, -0.137788, -0.07877, -0.120927],
    ],
}


def pattern(shape, shift):
    """Numbers between -0.5 and 0.5 that torch was given too."""
    values = np.sin(np.arange(np.prod(shape)) * 0.7 + shift) * 0.5
    return values.reshape(shape).astype(np.float32)


def state_dict(cell, prefix=""):
    """Two layers in both directions; the numbers go by the sorted names."""
    width = get_cell(cell).num_gates * H
    shapes = {}
    for layer, features in enumerate((D, 2 * H)):
        for end in ("", "_reverse"):
            shapes[f"weight_ih_l{layer}{end}"] = (width, features)
            shapes[f"weight_hh_l{layer}{end}"] = (width, H)
            shapes[f"bias_ih_l{layer}{end}"] = shapes[f"bias_hh_l{layer}{end}"] = (width,)
    return {
        prefix + name: pattern(shapes[name], number) for number, name in enumerate(sorted(shapes))
    }


@pytest.mark.parametrize("cell", GOLD)
def test_a_stack_gives_what_torch_gave(cell):
    stack = RecurrentStack(cell=cell, sizes=(H, H), bidirectional=True)
    params = stack_from_torch(state_dict(cell))
    outputs, _ = jax.jit(stack.apply)({"params": params}, jnp.asarray(pattern((2, 4, D), 0.3)))
    np.testing.assert_allclose(outputs[1], GOLD[cell], atol=2e-6)


@pytest.mark.parametrize("cell", GOLD)
def test_there_and_back_computes_the_same(cell):
    params = stack_from_torch(state_dict(cell))
    state = stack_to_torch(params)
    assert {name: array.shape for name, array in state.items()} == {
        name: array.shape for name, array in state_dict(cell).items()
    }
    again = stack_from_torch(state)
    jax.tree.map(np.testing.assert_array_equal, again, params)
    stack = RecurrentStack(cell=cell, sizes=(H, H), bidirectional=True)
    wanted = jax.eval_shape(stack.init, jax.random.key(0), jnp.zeros((1, 1, D)))["params"]
    assert jax.tree.map(np.shape, params) == jax.tree.map(lambda leaf: leaf.shape, wanted)


def test_a_prefix_picks_one_network_of_a_model():
    state = {**state_dict("gru", prefix="encoder.rnn."), "head.weight": np.eye(2)}
    jax.tree.map(
        np.testing.assert_array_equal,
        stack_from_torch(state, prefix="encoder.rnn."),
        stack_from_torch(state_dict("gru")),
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight_hr_l0": np.eye(2)}, "'weight_hr_l0' is no parameter of torch.nn.RNN"),
        ({"bias_ih_l0": np.zeros(3)}, r"bias_ih of layer_0 has the shape \(3,\); expected \(8,\)"),
        ({"weight_hh_l0": np.eye(5)[:, :2]}, r"weight_hh of layer_0 has the shape \(5, 2\)"),
        ({"weight_ih_l7": np.eye(2)}, "layer_7 has no weight_hh"),
    ],
)
def test_what_is_no_such_network_is_refused(change, message):
    with pytest.raises(UserError, match=message):
        stack_from_torch({**state_dict("lstm"), **change})


def test_an_empty_choice_is_refused():
    with pytest.raises(UserError, match=r"no parameter that starts with 'decoder\.'"):
        stack_from_torch(state_dict("lstm"), prefix="decoder.")


def test_a_learned_initial_state_is_refused():
    params = stack_from_torch(state_dict("elman"))
    params["layer_0"]["initial_0"] = np.zeros(H)
    with pytest.raises(UserError, match="learned initial state"):
        stack_to_torch(params)
