"""A program for a process with 8 devices: three steps of a model on every mesh; prints JSON.

Its argument names the model. The result maps each mesh, "data x model / microbatches", to how far
its parameters end from those of one device, and "moved" to how far training moved those.
"""

import json
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax

from zoo.data.batching import Batch
from zoo.data.labeled_batching import LabeledBatch
from zoo.data.parallel_batching import make_parallel_batch
from zoo.models.registry import build
from zoo.tasks.classification import ClassifierLoss
from zoo.tasks.language_modeling import LanguageModelLoss
from zoo.tasks.translation import TranslatorLoss
from zoo.training.config import base_config
from zoo.training.devices import MeshConfig, make_mesh, place_batches, shardings
from zoo.training.state import create_state, train_steps

MESHES = ((1, 1, 1), (8, 1, 1), (4, 2, 1), (2, 4, 1), (1, 1, 4), (2, 2, 2))
VOCABULARY, ROWS, STEPS, NUM_STEPS = 24, 16, 6, 3
OPTIMIZER = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-2, eps=1e-3))
RNG = np.random.default_rng(0)


def rows(longest=STEPS):
    """Random tokens, of every length, each row with its end."""
    lengths = RNG.integers(1, longest, size=ROWS)
    return [np.append(RNG.integers(3, VOCABULARY, size=length), 2) for length in lengths]


def configured(architecture, **fields):
    config = base_config(architecture).model
    config.update(fields)
    return config.to_dict()


def language_model():
    model = build(
        configured("recurrent_lm", embedding_size=8, hidden_sizes=(8, 8), tie_embeddings=True),
        VOCABULARY,
    )
    tokens = RNG.integers(VOCABULARY, size=(2, ROWS, NUM_STEPS * STEPS)).astype(np.int32)
    batches = [
        Batch(
            *(side[:, at : at + STEPS] for side in tokens),
            np.full(ROWS, STEPS, np.int32),
            np.full(ROWS, at == 0),
        )
        for at in range(0, NUM_STEPS * STEPS, STEPS)
    ]
    params = model.init(jax.random.key(0), jnp.zeros((1, 1), jnp.int32))["params"]
    return LanguageModelLoss(model), params, model.zero_carry(ROWS), batches


def translator(**fields):
    model = build(
        configured("encoder_decoder", embedding_size=8, hidden_size=8, **fields),
        VOCABULARY,
        source_vocabulary_size=VOCABULARY,
    )
    ones = jnp.ones((1, 1), jnp.int32)
    params = model.init(jax.random.key(0), ones, jnp.ones(1, jnp.int32), ones)["params"]
    batches = [make_parallel_batch(rows(), rows(), STEPS) for _ in range(NUM_STEPS)]
    return TranslatorLoss(model, label_smoothing=0.1), params, (), batches


def classifier():
    model = build(
        configured("classifier", embedding_size=8, hidden_sizes=(8,), pooling="attention"),
        VOCABULARY,
        num_labels=3,
    )
    ones = jnp.ones((1, 1), jnp.int32)
    params = model.init(jax.random.key(0), ones, lengths=jnp.ones(1, jnp.int32))["params"]
    batches = []
    for _ in range(NUM_STEPS):
        texts = make_parallel_batch(rows(), rows(), STEPS)
        targets = np.eye(3, dtype=np.float32)[RNG.integers(3, size=ROWS)]
        batches.append(LabeledBatch(texts.sources, texts.source_lengths, targets))
    return ClassifierLoss(model, False, (1.0, 2.0, 0.5)), params, (), batches


MODELS = {
    "language model": language_model,
    "recurrent translator": translator,
    "transformer": lambda: translator(
        encoder="transformer", decoder="transformer", num_layers=1, num_heads=2, inner_size=16
    ),
    "classifier": classifier,
}


def train(task, params, carry, batches, data, model, num_microbatches):
    mesh = make_mesh(MeshConfig(data, model), ROWS // num_microbatches)
    state = create_state(
        task,
        OPTIMIZER,
        params,
        carry,
        jax.random.key(1),
        num_microbatches=num_microbatches,
        mesh=mesh,
    )
    places = shardings(state, mesh)
    state = jax.device_put(state, places)
    stacked = place_batches(batches, mesh)
    if (data, model, num_microbatches) == (8, 1, 1):
        text = train_steps.lower(state, stacked, len(batches)).compile().as_text()
        assert "all-gather" not in text, "rows of other devices are sent for"
    state, _ = train_steps(state, stacked, len(batches))
    stayed = jax.tree.map(
        lambda array, place: array.sharding.is_equivalent_to(place, array.ndim), state, places
    )
    assert all(jax.tree.leaves(stayed)), "an array has moved, so the next call compiles again"
    return jax.device_get(state.params)


def furthest(one, other):
    distances = jax.tree.map(lambda a, b: float(np.abs(a - b).max()), one, other)
    return max(jax.tree.leaves(distances))


def main() -> None:
    task, params, carry, batches = MODELS[sys.argv[1]]()
    params, carry = jax.device_get((params, carry))
    ends = {mesh: train(task, params, carry, batches, *mesh) for mesh in MESHES}
    plain = ends[MESHES[0]]
    apart = {f"{d} x {m} / {n}": furthest(end, plain) for (d, m, n), end in ends.items()}
    print(json.dumps(apart | {"moved": furthest(plain, params)}))


if __name__ == "__main__":
    main()
