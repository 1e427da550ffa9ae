"""Train steps of the zoo; one call takes several steps, as in train.py."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.rows import (
    NUM_LABELS,
    Row,
    random_labels,
    random_lengths,
    random_tokens,
    update_rule,
)
from zoo.data.batching import Batch
from zoo.data.labeled_batching import LabeledBatch
from zoo.data.parallel_batching import ParallelBatch
from zoo.models.classifier import Classifier, ClassifierConfig
from zoo.models.encoder_decoder import EncoderDecoder, EncoderDecoderConfig
from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig
from zoo.tasks.classification import ClassifierLoss
from zoo.tasks.language_modeling import LanguageModelLoss
from zoo.tasks.translation import TranslatorLoss
from zoo.training.state import create_state, train_steps


def build(row: Row, steps_a_call: int) -> Callable[[], float]:
    """Returns a call that takes the given number of steps, waits, and returns the last loss."""
    task, params, carry, batch = PARTS[row.kind](row)
    state = create_state(task, update_rule(), params, carry, jax.random.key(1))
    batches = jax.tree.map(lambda array: np.stack([array] * steps_a_call), batch)

    def step() -> float:
        nonlocal state
        state, metrics = train_steps(state, batches, steps_a_call)
        jax.block_until_ready(state.params)
        return float(metrics["loss_nats"][-1] / metrics["num_targets"][-1])

    return step


def language_model(row: Row) -> tuple[Any, Any, Any, Any]:
    """Returns objective, parameters, carry and batch of a recurrent language model."""
    config = RecurrentLMConfig(
        cell=row.cell,
        embedding_size=row.size,
        hidden_sizes=(row.size,) * row.layers,
        matmul_dtype=row.dtype,
    )
    model = RecurrentLM(config, row.vocabulary)
    inputs, targets = random_tokens(row)
    params = jax.jit(model.init)(jax.random.key(0), inputs)["params"]
    lengths, fresh = np.full(row.batch, row.steps, np.int32), np.zeros(row.batch, bool)
    batch = Batch(inputs, targets, lengths, fresh)
    return LanguageModelLoss(model), params, model.zero_carry(row.batch), batch


def translator(row: Row) -> tuple[Any, Any, Any, Any]:
    """Returns objective, parameters, carry and batch of an encoder-decoder."""
    config = EncoderDecoderConfig(
        encoder=row.cell,
        decoder=row.cell,
        score="bilinear",
        embedding_size=row.size,
        hidden_size=row.size,
        num_layers=row.layers,
    )
    model = EncoderDecoder(config, row.vocabulary, row.vocabulary)
    sources, targets = random_tokens(row)
    lengths = random_lengths(row)
    params = jax.jit(model.init)(jax.random.key(0), sources, lengths, targets)["params"]
    batch = ParallelBatch(sources, lengths, np.roll(targets, 1, axis=1), targets, lengths)
    return TranslatorLoss(model), params, (), batch


def classifier(row: Row) -> tuple[Any, Any, Any, Any]:
    """Returns objective, parameters, carry and batch of a classifier."""
    config = ClassifierConfig(
        cell=row.cell,
        embedding_size=row.size,
        hidden_sizes=(row.size // 2,) * row.layers,
        pooling="mean",
        head_size=row.size,
    )
    model = Classifier(config, row.vocabulary, NUM_LABELS)
    tokens, _ = random_tokens(row)
    lengths = random_lengths(row)
    params = jax.jit(model.init)(jax.random.key(0), jnp.asarray(tokens), lengths=lengths)["params"]
    targets = np.eye(NUM_LABELS, dtype=np.float32)[random_labels(row)]
    task = ClassifierLoss(model, False, (1.0,) * NUM_LABELS)
    return task, params, (), LabeledBatch(tokens, lengths, targets)


PARTS = {"language_model": language_model, "translator": translator, "classifier": classifier}
