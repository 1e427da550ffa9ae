"""Every optimizer is what its paper's equations give, and every setting has its effect."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.errors import UserError
from zoo.training.optimizers import NAMES, OptimizerConfig, make_optimizer, make_schedule

pytestmark = pytest.mark.usefixtures("optax_dtypes")
NUM_STEPS = 20
FIRST = {"recurrent_kernel": (3, 2), "bias": (2,)}


def random_tree(rng, scale=1.0):
    return {name: scale * rng.normal(size=shape) for name, shape in FIRST.items()}


def walk(config, steps=6, scale=1.0, num_steps=NUM_STEPS):
    """The parameters after each step on random gradients, as flat float64 vectors."""
    rng = np.random.default_rng(3)
    params = jax.tree.map(lambda array: jnp.asarray(array, jnp.float32), random_tree(rng))
    optimizer = make_optimizer(config, num_steps)
    state, path = optimizer.init(params), [flat(params)]
    for _ in range(steps):
        gradient = jax.tree.map(
            lambda array: jnp.asarray(array, jnp.float32), random_tree(rng, scale)
        )
        updates, state = optimizer.update(gradient, state, params)
        params = jax.tree.map(jnp.add, params, updates)
        path.append(flat(params))
    return np.array(path)


def flat(tree):
    return np.concatenate([np.asarray(tree[name], np.float64).ravel() for name in sorted(FIRST)])


def transcription(config, steps=6, scale=1.0):
    """The same from the equations, in NumPy.

    SGD and momentum as in Sutskever et al. 2013 without Nesterov's look ahead, written with the
    rate outside; Adam from Kingma and Ba 2015, algorithm 1; AdamW from Loshchilov and Hutter 2019,
    algorithm 2.
    """
    rng = np.random.default_rng(3)
    params = flat(random_tree(rng))
    first, second, path = np.zeros_like(params), np.zeros_like(params), [params]
    beta_1, beta_2 = config.momentum, config.second_moment_decay
    for t in range(1, steps + 1):
        gradient = flat(random_tree(rng, scale))
        norm = np.sqrt((gradient**2).sum())
        if config.clip_norm and norm > config.clip_norm:
            gradient = gradient * config.clip_norm / norm
        if config.name != "adamw":
            gradient = gradient + config.weight_decay * params
        if config.name == "sgd":
            update = gradient
        elif config.name == "momentum":
            first = update = beta_1 * first + gradient
        else:
            first = beta_1 * first + (1 - beta_1) * gradient
            second = beta_2 * second + (1 - beta_2) * gradient**2
            unbiased = first / (1 - beta_1**t), second / (1 - beta_2**t)
            update = unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)
        if config.name == "adamw":
            update = update + config.weight_decay * params
        params = params - config.learning_rate * update
        path.append(params)
    return np.array(path)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "more",
    [
        {"clip_norm": 0.0},
        {"clip_norm": 1.5, "weight_decay": 0.3, "momentum": 0.7, "second_moment_decay": 0.95},
    ],
)
def test_every_optimizer_equals_its_equations(name, more):
    config = OptimizerConfig(name, learning_rate=0.05, **more)
    np.testing.assert_allclose(walk(config), transcription(config), rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize("scale", [0.01, 100.0])
def test_only_gradients_longer_than_the_limit_are_clipped(scale):
    config = OptimizerConfig("sgd", learning_rate=1.0, clip_norm=2.0)
    steps = np.linalg.norm(np.diff(walk(config, scale=scale), axis=0), axis=1)
    free = dataclasses.replace(config, clip_norm=0.0)
    unclipped = np.linalg.norm(np.diff(walk(free, scale=scale), axis=0), axis=1)
    np.testing.assert_allclose(steps, np.minimum(unclipped, 2.0), rtol=1e-4)
    assert (unclipped > 2.0).all() == (scale > 1)


@pytest.mark.parametrize("name", NAMES)
def test_weight_decay_pulls_every_weight_towards_zero(name):
    optimizer = make_optimizer(OptimizerConfig(name, 0.1, weight_decay=0.5), NUM_STEPS)
    params = jnp.array([2.0, -2.0, 0.5, -0.5])
    state, start = optimizer.init(params), params
    for _ in range(4):
        updates, state = optimizer.update(jnp.zeros_like(params), state, params)
        before, params = params, params + updates
        assert (jnp.abs(params) < jnp.abs(before)).all()
    assert (jnp.sign(params) == jnp.sign(start)).all()


def test_adamw_decays_by_the_rate_of_the_step():
    config = OptimizerConfig("adamw", 0.1, weight_decay=0.5, warmup_steps=4)
    optimizer = make_optimizer(config, NUM_STEPS)
    params = jnp.array([2.0])
    state = optimizer.init(params)
    for rate in (0.0, 0.025, 0.05):
        updates, state = optimizer.update(jnp.zeros_like(params), state, params)
        assert float(updates[0]) == pytest.approx(-rate * 0.5 * 2.0, rel=1e-5)


def rates(num_steps=NUM_STEPS, **more):
    schedule = make_schedule(OptimizerConfig(learning_rate=2.0, **more), num_steps)
    return [float(schedule(step)) for step in range(num_steps + 1)]


@pytest.mark.parametrize("schedule", ["constant", "plateau"])
def test_warm_up_rises_linearly_and_the_rate_then_stays(schedule):
    expected = [0.0, 0.5, 1.0, 1.5] + [2.0] * 17
    assert rates(schedule=schedule, warmup_steps=4) == pytest.approx(expected)
    assert rates(schedule=schedule) == [2.0] * 21


@pytest.mark.parametrize("warmup", [0, 5])
def test_cosine_falls_to_zero_at_the_last_step(warmup):
    found = rates(schedule="cosine", warmup_steps=warmup)
    part = np.arange(NUM_STEPS - warmup + 1) / (NUM_STEPS - warmup)
    expected = 2.0 * 0.5 * (1 + np.cos(np.pi * part))
    np.testing.assert_allclose(found[warmup:], expected, atol=1e-6)
    assert found[:warmup] == pytest.approx([2.0 * step / 5 for step in range(warmup)])
    assert found[-1] == 0.0


def test_a_cosine_with_nothing_but_warm_up_is_a_number():
    assert np.isfinite(rates(num_steps=3, schedule="cosine", warmup_steps=10)).all()


def test_linear_after_warm_up_is_a_slanted_triangle():
    found = rates(schedule="linear", warmup_steps=2)
    assert found == pytest.approx([0.0, 1.0, *(2.0 * (20 - step) / 18 for step in range(2, 21))])
    assert np.isfinite(rates(num_steps=3, schedule="linear", warmup_steps=10)).all()


def test_the_step_schedule_of_zaremba_halves_each_epoch_after_the_fourth():
    epoch = 2323
    config = OptimizerConfig(
        learning_rate=1.0,
        schedule="step",
        decay_factor=0.5,
        decay_start_steps=4 * epoch,
        decay_every_steps=epoch,
    )
    schedule = make_schedule(config, 13 * epoch)
    for index in range(13):
        expected = 0.5 ** max(0, index - 3)  # the first four epochs at 1, the fifth at a half
        assert float(schedule(index * epoch)) == expected
        assert float(schedule(index * epoch + epoch - 1)) == expected
        assert float(jax.jit(schedule)(jnp.int32(index * epoch))) == expected


@pytest.mark.parametrize("warmup", [0, 3])
@pytest.mark.parametrize(("start", "every"), [(5, 10), (5, 2), (0, 4), (1, 1), (19, 1)])
def test_the_step_schedule_starts_and_repeats_when_it_says(start, every, warmup):
    found = rates(
        schedule="step",
        decay_factor=0.25,
        decay_start_steps=start,
        decay_every_steps=every,
        warmup_steps=warmup,
    )
    for step in range(warmup, NUM_STEPS + 1):
        times = 0 if step < start else 1 + (step - start) // every
        assert found[step] == pytest.approx(2.0 * 0.25**times, rel=1e-5)


# One change a field, and what it has to be seen beside.
CHANGES = {
    "name": ("adamw", {"weight_decay": 0.1}),
    "learning_rate": (0.02, {}),
    "momentum": (0.5, {}),
    "second_moment_decay": (0.9, {}),
    "weight_decay": (0.1, {}),
    "decay_recurrent_kernels": (False, {"weight_decay": 0.1}),
    "clip_norm": (0.5, {"name": "sgd"}),
    "warmup_steps": (3, {}),
    "schedule": ("cosine", {}),
    "decay_factor": (0.7, {"schedule": "step"}),
    "decay_start_steps": (3, {"schedule": "step"}),
    "decay_every_steps": (2, {"schedule": "step"}),
}


def test_every_setting_changes_the_updates():
    fields = {field.name for field in dataclasses.fields(OptimizerConfig)}
    elsewhere = {"decay_patience", "layer_rate_factor", "unfreeze_every_steps"}
    assert fields == CHANGES.keys() | elsewhere  # see test_loop.py and test_layer_rates.py
    for field, (value, beside) in CHANGES.items():
        config = OptimizerConfig(**beside)
        changed = dataclasses.replace(config, **{field: value})
        difference = np.abs(walk(changed) - walk(config)).max()
        assert difference > 1e-6, field


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_recurrent_kernels_alone_are_left_out_of_the_decay(name):
    params = {"layer": {"recurrent_kernel": jnp.ones(2), "input_kernel": jnp.ones(2)}}
    config = OptimizerConfig(name, weight_decay=0.1, decay_recurrent_kernels=False)
    optimizer = make_optimizer(config, NUM_STEPS)
    still = jax.tree.map(jnp.zeros_like, params)
    updates, _ = optimizer.update(still, optimizer.init(params), params)
    assert (updates["layer"]["recurrent_kernel"] == 0).all()
    assert (updates["layer"]["input_kernel"] < 0).all()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "adagrad"),
        ("schedule", "triangle"),
        *((name, value) for name in ("learning_rate", "decay_factor") for value in (0.0, -0.1)),
        *(("layer_rate_factor", value) for value in (0.0, -1.0, 1.5, "nan", "inf")),
        ("unfreeze_every_steps", -1),
        *((name, value) for name in ("learning_rate", "decay_factor") for value in ("nan", "inf")),
        *((name, value) for name in ("decay_every_steps", "decay_patience") for value in (0, -1)),
        *((name, -1) for name in ("warmup_steps", "decay_start_steps")),
        *((name, value) for name in ("clip_norm", "weight_decay") for value in (-0.1, "nan")),
        *((name, v) for name in ("momentum", "second_moment_decay") for v in (-0.1, 1.0, "nan")),
    ],
)
def test_a_bad_value_is_one_line_that_names_its_field(field, value):
    if value in ("nan", "inf"):
        value = float(value)
    with pytest.raises(UserError, match=rf"^optimizer\.{field} is {re.escape(repr(value))}; ") as e:
        OptimizerConfig(**{field: value})
    assert "\n" not in str(e.value)


def test_frozen_elements_stay_and_do_not_count_for_clipping():
    config = OptimizerConfig("sgd", 1.0, clip_norm=1.0, weight_decay=0.5)
    params = {"table": jnp.array([[3.0], [4.0]]), "bias": jnp.array([0.0])}
    frozen = {"table": np.array([[True], [False]])}
    optimizer = make_optimizer(config, 10, frozen)
    grads = {"table": jnp.array([[1e6], [0.6]]), "bias": jnp.array([0.8])}
    updates, _ = optimizer.update(grads, optimizer.init(params), params)
    # The rest has norm 1, so it is not clipped; then the decay of 0.5 * 4.
    np.testing.assert_allclose(updates["table"], [[0.0], [-0.6 - 2.0]], rtol=1e-6)
    np.testing.assert_allclose(updates["bias"], [-0.8], rtol=1e-6)
