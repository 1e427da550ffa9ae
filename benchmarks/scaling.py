"""Needs of a train step of a large language model on many devices, computed but not run.

    python benchmarks/scaling.py

The model is an LSTM of 2 x 6,144 over embeddings of 6,144 that are also the output weights, with
65,536 tokens: one billion parameters. Each row of the table is one mesh, with 32 rows of 128 tokens
for each device along the axis `data`. The memory of parameters, gradient and Adam's moments comes
from the arrays' own shardings (`zoo.training.devices`). The rest comes from what a step keeps and
sends:

    activations   for each layer a_t and its residuals (4H + 4H), h and c; and for one part of the
                  softmax (`zoo.layers.fast.softmax_loss`) the logits and their gradient
    over data     the sum of the gradients, 2 (d - 1) / d of a device's part, once per step
    over model    h and its gradient for every step and layer, 2 (m - 1) / m, and the same for the
                  output layer
"""

import sys
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import jax
import jax.numpy as jnp
import optax
from jax.sharding import AbstractMesh

from zoo.layers.fast.softmax_loss import MOST_ELEMENTS
from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig
from zoo.training.devices import DATA, MODEL, shardings

HIDDEN, LAYERS, VOCABULARY = 6_144, 2, 65_536
ROWS, STEPS = 32, 128
MESHES = ((1, 1), (8, 1), (2, 4), (1, 8), (256, 1), (64, 4), (32, 8), (4096, 1), (512, 8))
BYTES = 4  # float32
GB = 1e9


class Needs(NamedTuple):
    """The needs of one device for a step, in GB.

    Attributes:
        state: parameters, their gradient and two moments.
        activations: the arrays that the forward pass keeps.
        over_data: communication for the sum of the gradients.
        over_model: communication for states and logits.
    """

    state: float
    activations: float
    over_data: float
    over_model: float


def model_state() -> Any:
    """Returns the shapes of parameters and optimizer state, without creating arrays."""
    config = RecurrentLMConfig(
        cell="lstm",
        embedding_size=HIDDEN,
        hidden_sizes=(HIDDEN,) * LAYERS,
        tie_embeddings=True,
    )
    model = RecurrentLM(config, VOCABULARY)

    def create(key: jax.Array) -> Any:
        params = model.init(key, jnp.zeros((1, 1), jnp.int32))["params"]
        return {"params": params, "optimizer_state": optax.adam(1e-3).init(params)}

    return jax.eval_shape(create, jax.random.key(0))


def bytes_on_a_device(tree: Any, data: int, model: int) -> int:
    """Returns the bytes that one device of the mesh holds of a tree of arrays."""
    places = shardings(tree, AbstractMesh((data, model), (DATA, MODEL)))

    def held(leaf: Any, place: Any) -> int:
        size = 1
        for length in place.shard_shape(leaf.shape):
            size *= length
        return size * leaf.dtype.itemsize

    return sum(jax.tree.leaves(jax.tree.map(held, tree, places)))


def needs(state: Any, data: int, model: int) -> Needs:
    """Returns the needs of a step on a mesh of data x model devices."""
    own = bytes_on_a_device(state["params"], data, model)
    tokens = ROWS * STEPS
    kept = tokens * LAYERS * (2 * 4 + 2) * HIDDEN
    at_least = ROWS * VOCABULARY  # one step: the loss is computed in parts of whole steps
    logits = 2 * min(tokens * VOCABULARY, max(MOST_ELEMENTS // data, at_least))
    states = 2 * (LAYERS + 1) * HIDDEN
    return Needs(
        state=(own + bytes_on_a_device(state, data, model)) / GB,
        activations=(kept + logits) * BYTES / model / GB,
        over_data=2 * (data - 1) / data * own / GB,
        over_model=2 * (model - 1) / model * tokens * states * BYTES / GB,
    )


def main() -> None:
    """Prints the table."""
    state = model_state()
    num_params = sum(leaf.size for leaf in jax.tree.leaves(state["params"]))
    print(f"{num_params:,} parameters\n")
    print(
        "| devices | data x model | tokens per step | state, GB | activations, GB | over data, GB |"
        " over model, GB |\n|---|---|---|---|---|---|---|"
    )
    for data, model in MESHES:
        need = needs(state, data, model)
        print(
            f"| {data * model:,} | {data} x {model} | {data * ROWS * STEPS:,} | {need.state:.2f} | "
            f"{need.activations:.2f} | {need.over_data:.2f} | {need.over_model:.2f} |"
        )


if __name__ == "__main__":
    main()
