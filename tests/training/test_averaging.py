"""The average of the parameters: its values, and when it begins. Runs: test_averaged_runs.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_regression import START
from tiny_run import array_bits

from zoo.errors import UserError
from zoo.tasks.settings import TrainingConfig
from zoo.training.averaging import Average, AveragingConfig, is_stalled, start_average


def walk(num_steps, seed=0):
    """Parameters after each of some steps."""
    draw = np.random.default_rng(seed)
    return [
        {"a": draw.normal(size=(2, 3)).astype(np.float32), "b": draw.normal(size=4)}
        for _ in range(num_steps)
    ]


def slow_average(values, decay):
    """The mean of all while they are few; then an exponential moving average."""
    average = None
    for count, value in enumerate(values, start=1):
        if decay == 1 or count <= round(1 / (1 - decay)):
            average = np.mean(values[:count], axis=0)
        else:
            average = decay * average + (1 - decay) * value
    return average


@pytest.mark.parametrize("decay", [1.0, 0.9, 0.5, 0.0])
@pytest.mark.parametrize("num_steps", [1, 2, 10, 11, 37])
def test_the_average_is_the_mean_first_and_then_exponential(decay, num_steps):
    steps = walk(num_steps)
    average = start_average(AveragingConfig("first_step", decay), walk(1, seed=9)[0])
    follow = jax.jit(Average.follow)
    for params in steps:
        average = follow(average, params)
    assert int(average.count) == num_steps
    for name in ("a", "b"):
        expected = slow_average([params[name] for params in steps], decay)
        np.testing.assert_allclose(average.params[name], expected, rtol=1e-4, atol=1e-5)


def test_before_it_begins_the_average_is_a_copy_to_the_bit():
    average = start_average(AveragingConfig("stall"), walk(1, seed=9)[0])
    for params in walk(5):
        params = jax.tree.map(jnp.asarray, params)
        average = average.follow(params)
        assert array_bits(average.params) == array_bits(params)
        assert int(average.count) == -1


def test_begin_averages_the_steps_that_come_and_changes_nothing_later():
    average, steps = start_average(AveragingConfig("stall"), walk(1, seed=9)[0]), walk(9)
    for count, params in enumerate(steps):
        if count == 4:
            copied = array_bits(average.params)
            average = average.begin()
            assert array_bits(average.params) == copied
        if count == 7:
            average = average.begin()
        average = average.follow(params)
    assert int(average.count) == 5
    expected = np.mean([params["a"] for params in steps[4:]], axis=0)
    np.testing.assert_allclose(average.params["a"], expected, rtol=1e-4, atol=1e-6)


def test_the_first_average_is_the_first_step_to_the_bit():
    """Whatever the parameters were before: a difference to them would round."""
    large = {"a": np.full((2, 3), 1e9, np.float32), "b": np.full(4, 1e9)}
    params = jax.tree.map(jnp.asarray, walk(1)[0])
    average = start_average(AveragingConfig("first_step"), large).follow(params)
    assert array_bits(average.params) == array_bits(params)


def test_an_average_starts_as_a_copy_in_buffers_of_its_own():
    params = {"weight": jnp.asarray(START)}
    assert start_average(AveragingConfig("never"), params) is None
    for start, count in (("first_step", 0), ("stall", -1)):
        average = start_average(AveragingConfig(start, 0.5), params)
        assert (int(average.count), average.decay) == (count, 0.5)
        assert array_bits(average.params) == array_bits(params)
        assert average.params["weight"] is not params["weight"]


def non_monotonic(scores, n):
    """The rule of Merity et al. 2018, for each score in turn: `logs` are those before."""
    logs, triggered = [], []
    for v in scores:
        triggered.append(len(logs) > n and v > min(logs[:-n]))
        logs.append(v)
    return triggered


few_scores = st.one_of(st.integers(0, 4).map(float), st.floats(0, 10))


@given(st.lists(few_scores, min_size=1, max_size=15), st.integers(1, 6))
def test_a_stall_is_that_of_nt_asgd(scores, patience):
    found = [is_stalled(scores[: end + 1], patience) for end in range(len(scores))]
    assert found == non_monotonic(scores, patience)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"averaging": "always"}, r"averaging is 'always'; choose one of never, first_step, stall"),
        ({"averaging_decay": -0.1}, r"averaging_decay is -0.1; use 0 to 1"),
        ({"averaging_decay": 1.1}, r"averaging_decay is 1.1; use 0 to 1"),
        ({"averaging_decay": float("nan")}, r"averaging_decay is nan; use 0 to 1"),
        ({"averaging_patience": 0}, r"averaging_patience is 0; use"),
    ],
)
def test_settings_that_can_not_be(fields, message):
    with pytest.raises(UserError, match=message):
        TrainingConfig(**fields)
