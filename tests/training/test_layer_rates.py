"""Discriminative rates and gradual unfreezing are the equations of the module."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import zoo
from zoo.training.layer_rates import depths
from zoo.training.optimizers import NAMES, OptimizerConfig, make_optimizer

pytestmark = pytest.mark.usefixtures("optax_dtypes")
DEPTHS = {
    "embedding": 0,
    "stack": {
        "layer_0": {"kernel": 1},
        "reverse_layer_0": {"kernel": 1},
        "block_0": {"mix_kernel": 1},
        "layer_1": {"kernel": 2},
        "block_1": {"mix_kernel": 2},
    },
    "head": {"kernel": 3, "bias": 3},
}


def test_depths():
    assert depths(jax.tree.map(lambda depth: np.zeros(2), DEPTHS)) == DEPTHS
    released = depths(zoo.load("python_docs_topics").params)
    assert released["embedding"] == 0
    assert set(released["stack"]["reverse_layer_0"].values()) == {1}
    assert set(released["head"].values()) == {2}
    assert depths({"kernel": np.zeros(2)}) == {"kernel": 0}  # a model without layers
    assert depths({"embedding": np.zeros(2)}) == {"embedding": 0}


def updates_of(config, steps=12):
    """The updates of each step on random gradients, with depths as the parameters' values."""
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda depth: jnp.full(3, depth, jnp.float32), DEPTHS)
    optimizer = make_optimizer(config, steps)
    state, found = optimizer.init(params), []
    for _ in range(steps):
        gradient = jax.tree.map(lambda _: jnp.asarray(rng.normal(size=3), jnp.float32), DEPTHS)
        updates, state = jax.jit(optimizer.update)(gradient, state, params)
        found.append(updates)
    return found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("factor", "every"), [(0.4, 0), (1.0, 3), (0.4, 3)])
def test_updates_are_scaled_by_depth(name, factor, every):
    settings = {"name": name, "weight_decay": 0.1, "learning_rate": 0.1}
    plain = updates_of(OptimizerConfig(**settings))
    config = OptimizerConfig(**settings, layer_rate_factor=factor, unfreeze_every_steps=every)
    for step, (expected, found) in enumerate(zip(plain, updates_of(config), strict=True)):

        def scaled(own, depth, step=step):
            return own * factor ** (3 - depth) * (step >= every * (3 - depth))

        expected = jax.tree.map(scaled, expected, DEPTHS)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), found, expected)
    assert all(np.abs(leaf).min() > 0 for leaf in jax.tree.leaves(found))


def test_the_state_is_as_before_where_all_layers_learn_alike():
    params = {"embedding": jnp.ones(2)}
    before = jax.tree.structure(make_optimizer(OptimizerConfig(), 9).init(params))
    after = make_optimizer(OptimizerConfig(layer_rate_factor=0.5), 9).init(params)
    assert jax.tree.structure(after).num_leaves == before.num_leaves + 1
