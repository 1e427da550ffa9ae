"""Flax's own cells, run by nn.RNN, are the evidence."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.errors import UserError
from zoo.exchange.flax_weights import layer_from_flax, layer_to_flax
from zoo.layers.recurrent import RecurrentLayer

D, H = 3, 5
CELLS = [
    ("elman", nn.SimpleCell),
    ("gru", nn.GRUCell),
    ("lstm", nn.LSTMCell),
    ("lstm", nn.OptimizedLSTMCell),
]
INPUTS = np.random.default_rng(0).normal(size=(2, 7, D)).astype(np.float32)


def shaken(params, seed=1):
    """Every parameter at random, so that no bias is zero."""
    generator = np.random.default_rng(seed)
    return jax.tree.map(
        lambda leaf: generator.normal(size=leaf.shape).astype(np.float32) / 2, params
    )


@pytest.mark.parametrize(("name", "cell"), CELLS)
def test_a_layer_gives_what_flax_gives_on_its_parameters(name, cell):
    flax_rnn = nn.RNN(cell(H))
    params = shaken(jax.jit(flax_rnn.init)(jax.random.key(0), INPUTS)["params"])
    expected = jax.jit(flax_rnn.apply)({"params": params}, INPUTS)
    layer = RecurrentLayer(cell=name, size=H)
    found = jax.jit(layer.apply)({"params": layer_from_flax(params)}, jnp.asarray(INPUTS))
    np.testing.assert_allclose(found.outputs, expected, atol=1e-6)


@pytest.mark.parametrize(("name", "cell"), CELLS)
def test_flax_gives_what_a_layer_gives_on_its_parameters(name, cell):
    layer = RecurrentLayer(cell=name, size=H)
    params = shaken(jax.jit(layer.init)(jax.random.key(0), jnp.asarray(INPUTS))["params"])
    expected = jax.jit(layer.apply)({"params": params}, jnp.asarray(INPUTS)).outputs
    flax_rnn = nn.RNN(cell(H))
    there = layer_to_flax(params, name)
    found = jax.jit(flax_rnn.apply)({"params": {"cell": there}}, INPUTS)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    # Flax has the very parameters, and back again they are ours.
    wanted = jax.jit(flax_rnn.init)(jax.random.key(0), INPUTS)["params"]["cell"]
    assert jax.tree.map(np.shape, there) == jax.tree.map(np.shape, dict(wanted))
    back = layer_from_flax(there)
    assert back.keys() == params.keys()
    for key, array in back.items():
        np.testing.assert_array_equal(array, params[key])


def test_parameters_of_something_else_are_refused():
    with pytest.raises(
        UserError, match=r"named bias, kernel; give the parameters of one SimpleCell"
    ):
        layer_from_flax({"kernel": np.eye(2), "bias": np.zeros(2)})


def test_a_learned_initial_state_is_refused():
    layer = RecurrentLayer(cell="gru", size=H, learn_initial_state=True)
    params = jax.jit(layer.init)(jax.random.key(0), jnp.asarray(INPUTS))["params"]
    with pytest.raises(UserError, match="learned initial state"):
        layer_to_flax(params, "elman")
