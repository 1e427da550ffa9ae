"""The loss of translation, against a plain loop; label smoothing and scheduled sampling."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.data.parallel_batching import make_parallel_batch
from zoo.models.encoder_decoder import EncoderDecoder, EncoderDecoderConfig
from zoo.tasks.translation import TranslatorLoss

V = 8
SOURCES = [np.array([5, 3, 4, 2]), np.array([6, 2])]
TARGETS = [np.array([7, 3, 2]), np.array([4, 5, 6, 3, 2])]
BATCH = make_parallel_batch(SOURCES, TARGETS, 6)
MODEL = EncoderDecoder(EncoderDecoderConfig(embedding_size=4, hidden_size=4), V, 7)


@pytest.fixture(scope="module")
def params():
    ones = jnp.ones((1, 1), jnp.int32)
    shapes = jax.eval_shape(MODEL.init, jax.random.key(0), ones, ones[0], ones)["params"]
    draw = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: jnp.asarray(draw.normal(size=leaf.shape), leaf.dtype), shapes)


@pytest.fixture(scope="module")
def logits(params):
    apply = jax.jit(MODEL.apply)
    return np.asarray(
        apply({"params": params}, BATCH.sources, BATCH.source_lengths, BATCH.inputs).logits
    )


def plain_loss(logits, smoothing):
    total, nats, count = 0.0, 0.0, 0
    for scores, target in zip(logits, TARGETS, strict=True):
        for row, word in zip(scores, target, strict=False):  # what follows is padding
            shares = np.log(np.exp(row) / np.exp(row).sum())
            nats -= shares[word]
            total -= (1 - smoothing) * shares[word] + smoothing * shares.mean()
            count += 1
    return total / count, nats, count


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_that_of_a_plain_loop(params, logits, smoothing):
    task = TranslatorLoss(MODEL, label_smoothing=smoothing)
    loss, (carry, metrics) = jax.jit(task.loss)(params, (), BATCH, jax.random.key(0))
    total, nats, count = plain_loss(logits, smoothing)
    assert float(loss) == pytest.approx(total, rel=1e-5)
    assert float(metrics["loss_nats"]) == pytest.approx(nats, rel=1e-5)
    assert (float(metrics["num_targets"]), carry) == (count, ())


def test_scheduled_sampling_reads_its_own_words_but_starts_at_the_start(params, logits):
    task = TranslatorLoss(MODEL, scheduled_sampling_rate=0.5)
    inputs = jnp.asarray(BATCH.inputs)
    own = logits.argmax(axis=-1)
    mix = jax.jit(task._mix_inputs)
    kept = replaced = 0
    for seed in range(20):
        mixed = np.asarray(mix(params, BATCH, inputs, jax.random.key(seed)))
        assert (mixed[:, 0] == 1).all()
        is_own = mixed[:, 1:] == own[:, :-1]
        is_true = mixed[:, 1:] == BATCH.inputs[:, 1:]
        assert (is_own | is_true).all()
        kept, replaced = kept + is_true.sum(), replaced + (is_own & ~is_true).sum()
    assert kept > 20
    assert replaced > 20
