"""The recall task: what it asks, and that a network of each kind learns it over a short lag."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig
from zoo.tasks.recall import Recall, RecallBatches
from zoo.training.optimizers import OptimizerConfig, make_optimizer
from zoo.training.state import create_state, train_steps

pytestmark = pytest.mark.usefixtures("optax_dtypes")


def test_batches_are_a_function_of_seed_epoch_and_index():
    batches = RecallBatches(lag=4, num_symbols=5, batch_size=50, seed=1)
    first = batches.batch(0, 3)
    assert first.inputs.shape == (50, 5)
    assert (first.targets == first.inputs[:, 0]).all()
    assert set(first.inputs.ravel().tolist()) == set(range(5))
    assert (batches.batch(0, 3).inputs == first.inputs).all()
    for other in (batches.batch(0, 4), batches.batch(1, 3), RecallBatches(4, 5, 50, 2).batch(0, 3)):
        assert (other.inputs != first.inputs).any()


def test_the_loss_asks_after_the_last_step_only():
    model = RecurrentLM(RecurrentLMConfig(cell="elman", embedding_size=3, hidden_sizes=(4,)), 5)
    batch = RecallBatches(lag=2, num_symbols=5, batch_size=6, seed=0).batch(0, 0)
    params = jax.jit(model.init)(jax.random.key(0), batch.inputs)["params"]
    loss, (carry, metrics) = jax.jit(Recall(model).loss)(params, (), batch, jax.random.key(0))
    log_probs = jax.nn.log_softmax(
        jax.jit(model.apply)({"params": params}, batch.inputs).logits[:, -1]
    )
    expected = -log_probs[np.arange(6), batch.targets]
    assert float(loss) == pytest.approx(float(expected.mean()), rel=1e-5)
    assert carry == ()
    assert float(metrics["num_right"]) == (log_probs.argmax(axis=-1) == batch.targets).sum()
    assert float(metrics["num_targets"]) == 6


@pytest.mark.parametrize("cell", ["elman", "gru", "lstm"])
def test_every_cell_learns_it_over_a_lag_of_two(cell):
    model = RecurrentLM(RecurrentLMConfig(cell=cell, embedding_size=8, hidden_sizes=(16,)), 3)
    batches = RecallBatches(lag=2, num_symbols=3, batch_size=32, seed=0)
    params = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 1), jnp.int32))["params"]
    optimizer = make_optimizer(OptimizerConfig("adam", 1e-2), 150)
    state = create_state(Recall(model), optimizer, params, (), jax.random.key(0))
    stacked = jax.tree.map(lambda *a: np.stack(a), *(batches.batch(0, i) for i in range(150)))
    state, metrics = train_steps(state, stacked, 150)
    assert metrics["num_right"][-20:].sum() > 0.95 * 20 * 32
