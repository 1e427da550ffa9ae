"""What torch 2.14 computed on weights that a formula gives is the evidence; torch is not needed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.errors import UserError
from zoo.exchange.torch_weights import stack_from_torch, stack_to_torch
from zoo.layers.cells import make_cell
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
    width = make_cell(cell, H).num_gates * H
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
    state = stack_to_torch(params, cell)
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
        stack_to_torch(params, "elman")


@pytest.mark.parametrize("cell", ["elman_logistic", "peephole_lstm", "min_gru"])
def test_a_cell_that_torch_does_not_have_is_refused(cell):
    with pytest.raises(UserError, match=f"the cell is '{cell}', which torch.nn does not have"):
        stack_to_torch({}, cell)


class Tensor:
    """Does what a tensor of torch does: NumPy gets its numbers only on torch's own terms."""

    def __init__(self, values, dtype="torch.float32", grad=False, device="cpu"):
        self._values, self.dtype, self._grad, self._device = values, Name(dtype), grad, device

    def __array__(self, *arguments, **options):
        return self.numpy()

    def detach(self):
        return Tensor(self._values, self.dtype, False, self._device)

    def cpu(self):
        if self._device == "meta":
            raise NotImplementedError("Cannot copy out of meta tensor; no data!\nCall to_empty.")
        return Tensor(self._values, self.dtype, self._grad)

    def float(self):
        values = self._values.real  # as torch does, with a mere warning
        return Tensor(values.astype(np.float32), "torch.float32", self._grad, self._device)

    def numpy(self):
        if self._grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        if self._device != "cpu":
            raise TypeError(f"can't convert {self._device}:0 device type tensor to numpy.")
        if self.dtype == "torch.bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self._values


class Name(str):
    """A dtype of torch: NumPy finds no `type` in it."""


class Plain:
    """A tensor's least: detach, float and numpy."""

    def __init__(self, values):
        self._values = values

    def detach(self):
        return self

    float = detach

    def numpy(self):
        return self._values


@pytest.mark.parametrize(
    "wrap",
    [
        lambda array: Tensor(array, grad=True),
        lambda array: Tensor(array.astype(np.float64), "torch.float64"),
        lambda array: Tensor(array, "torch.bfloat16"),
        lambda array: Tensor(array, "torch.bfloat16", grad=True, device="cuda"),
        Plain,
        lambda array: array.tolist(),
        jnp.asarray,
    ],
    ids=["grad", "float64", "bfloat16", "cuda", "plain", "list", "jax"],
)
def test_tensors_of_every_kind_are_read(wrap):
    state = {name: wrap(array) for name, array in state_dict("lstm").items()}
    jax.tree.map(
        np.testing.assert_array_equal, stack_from_torch(state), stack_from_torch(state_dict("lstm"))
    )


def test_bfloat16_arrays_are_read():
    state = {name: array.astype(jnp.bfloat16) for name, array in state_dict("gru").items()}
    params = stack_from_torch(state)
    np.testing.assert_array_equal(
        params["layer_0"]["input_kernel"], state["weight_ih_l0"].astype(np.float32).T
    )
    assert params["layer_0"]["input_kernel"].dtype == np.float32


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.full((8, 3), 1j), "weight_ih_l0 has complex numbers"),
        (Tensor(np.full((8, 3), 1j), "torch.complex64"), "weight_ih_l0 has complex numbers"),
        (Tensor(np.ones((8, 3)), device="meta"), "weight_ih_l0 cannot be read.*meta tensor; no"),
        (np.full((8, 3), np.nan), "weight_ih_l0 has nan; expected finite"),
        (np.full((8, 3), -1e39), "weight_ih_l0 has -inf; expected finite"),
        (Tensor(np.full((8, 3), np.inf)), "weight_ih_l0 has inf"),
        (np.float32(1), r"weight_ih of layer_0 has the shape \(\); expected a matrix"),
        (np.ones((8, 0)), r"weight_ih of layer_0 has the shape \(8, 0\); expected a matrix"),
        (np.ones((8, 3, 1)), r"the shape \(8, 3, 1\); expected a matrix"),
        (np.array([["a"]]), "weight_ih_l0 cannot be read as numbers"),
        (None, "weight_ih_l0 (cannot be read|has nan)"),
        ({}, "weight_ih_l0 cannot be read as numbers"),
    ],
)
def test_an_array_that_won_t_do_is_told(value, message):
    with pytest.raises(UserError, match=message) as told:
        stack_from_torch({**state_dict("lstm"), "weight_ih_l0": value})
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (
            ("_l1", "_l1_reverse"),
            "layer_0 is missing, but there is reverse_layer_1; give the whole",
        ),
        (("_l1",), "layer_0 is missing"),
        (("_l0_reverse",), "layer_0 is missing"),
        (("_l0", "_l1", "_l1_reverse"), "reverse_layer_0 is missing"),
        (("_l0", "_l0_reverse", "_l1"), "reverse_layer_1 is missing"),
    ],
)
def test_a_missing_layer_is_told(kept, message):
    state = {name: array for name, array in state_dict("gru").items() if name.endswith(kept)}
    with pytest.raises(UserError, match=message):
        stack_from_torch(state)


def test_a_gap_between_layers_is_told():
    state = state_dict("gru")
    state = {name.replace("_l1", "_l2"): array for name, array in state.items()}
    with pytest.raises(UserError, match="layer_1 is missing, but there is reverse_layer_2"):
        stack_from_torch(state)


@pytest.mark.parametrize(
    ("change", "gone", "message"),
    [
        ({}, ("bias_hh_l1",), "layer_1 has no bias_hh"),
        ({}, ("bias_hh_l1", "bias_ih_l1"), "only one of layer_0 and layer_1 has bias_"),
        ({"weight_ih_l1": np.ones((8, 3))}, (), "layer_1 takes 3 numbers, but .* below gives 4"),
        (
            {
                "weight_ih_l1": np.ones((6, 4)),
                "weight_hh_l1": np.ones((6, 2)),
                "bias_ih_l1": np.ones(6),
                "bias_hh_l1": np.ones(6),
            },
            (),
            "layer_1 has 3 gates, but layer_0 has 4",
        ),
        ({"weight_ih_l00": np.ones((8, 3))}, (), "'weight_ih_l00' is no parameter"),
    ],
)
def test_layers_of_different_networks_are_told(change, gone, message):
    state = {**state_dict("lstm"), **change}
    with pytest.raises(UserError, match=message):
        stack_from_torch({name: array for name, array in state.items() if name not in gone})


def test_a_cell_and_a_module_are_told_with_what_to_give():
    cell = {"weight_ih": np.ones((8, 3)), "weight_hh": np.ones((8, 2))}
    with pytest.raises(UserError, match=r"parameter of .* or LSTMCell, .* to 'weight_ih_l0'"):
        stack_from_torch(cell)
    assert stack_from_torch({f"{name}_l0": array for name, array in cell.items()})
    with pytest.raises(UserError, match=r"Plain is no state dict; give module\.state_dict\(\)"):
        stack_from_torch(Plain(None))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("cell", GOLD)
def test_modules_of_torch_itself(cell, bidirectional, bias):
    torch = pytest.importorskip("torch")
    kinds = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}
    more = {"nonlinearity": "relu"} if cell == "elman_relu" else {}
    torch.manual_seed(0)

    def make(bias):
        sizes = {"num_layers": 2, "bidirectional": bidirectional, "batch_first": True}
        return kinds.get(cell, torch.nn.RNN)(D, H, bias=bias, **sizes, **more)

    module, inputs = make(bias), torch.randn(2, 4, D)
    expected = module(inputs)[0].detach().numpy()
    params = stack_from_torch(dict(module.named_parameters()))  # they require a gradient
    stack = RecurrentStack(cell=cell, sizes=(H, H), bidirectional=bidirectional)
    outputs, _ = jax.jit(stack.apply)({"params": params}, inputs.numpy())
    np.testing.assert_allclose(outputs, expected, atol=2e-6)
    again = make(bias=True)
    state = stack_to_torch(params, cell)
    again.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    np.testing.assert_allclose(again(inputs)[0].detach().numpy(), expected, atol=2e-6)


def test_tensors_of_torch_itself():
    torch = pytest.importorskip("torch")
    module = torch.nn.LSTM(D, H)
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        exact = {name: array.to(dtype).float() for name, array in module.state_dict().items()}
        found = stack_from_torch(module.to(dtype).state_dict())
        jax.tree.map(np.testing.assert_array_equal, found, stack_from_torch(exact))
        module = torch.nn.LSTM(D, H)
    refused = {
        "has complex numbers": torch.ones(4 * H, D, dtype=torch.complex64),
        "has nan": torch.full((4 * H, D), torch.nan),
        "meta tensor": torch.empty(4 * H, D, device="meta"),
        "to_dense": torch.ones(4 * H, D).to_sparse(),
        "uninitialized parameter": torch.nn.parameter.UninitializedParameter(),
    }
    for message, tensor in refused.items():
        with pytest.raises(UserError, match=f"^weight_ih_l0 .*{message}"):
            stack_from_torch({**module.state_dict(), "weight_ih_l0": tensor})
    with pytest.raises(UserError, match="LSTMCell, not of RNN, GRU or LSTM"):
        stack_from_torch(torch.nn.LSTMCell(D, H).state_dict())
