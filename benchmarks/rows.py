"""The models that all sides of a benchmark train: their sizes, and random data for them."""

import math
from typing import Any, NamedTuple

import numpy as np

CLIP_NORM, RATE = 5.0, 0.1  # the update rule of every side: SGD after clipping by global norm
NUM_LABELS = 6


class Row(NamedTuple):
    """One model and the shape of its batches.

    Attributes:
        kind: language_model: embedding, layers, softmax. translator: a bidirectional encoder, and a
            decoder with bilinear attention. classifier: bidirectional layers, mean pooling, two
            layers on top.
        cell: lstm, gru or elman.
        layers: the number of layers.
        size: the size of embeddings and states; each direction of a bidirectional layer has half.
        vocabulary: V.
        steps: T, for sources and targets.
        batch: B.
        dtype: the type of the operands of matrix products, float32 or bfloat16.
    """

    kind: str
    cell: str
    layers: int
    size: int
    vocabulary: int
    steps: int
    batch: int
    dtype: str = "float32"


ROWS = {
    "lstm_2x200": Row("language_model", "lstm", 2, 200, 10_000, 20, 20),
    "lstm_2x650": Row("language_model", "lstm", 2, 650, 10_000, 35, 20),
    "lstm_1x256": Row("language_model", "lstm", 1, 256, 64, 64, 64),
    "lstm_2x512": Row("language_model", "lstm", 2, 512, 64, 128, 64),
    "lstm_2x1500": Row("language_model", "lstm", 2, 1500, 10_000, 35, 64),
    "elman_1x200": Row("language_model", "elman", 1, 200, 10_000, 20, 20),
    "translator": Row("translator", "gru", 1, 512, 6_000, 20, 64),
    "classifier": Row("classifier", "lstm", 1, 128, 8_000, 40, 32),
}


def random_tokens(row: Row) -> tuple[np.ndarray, np.ndarray]:
    """Returns inputs and targets, int32[B, T]; for a translator sources and targets."""
    tokens = np.random.default_rng(0).integers(3, row.vocabulary, (2, row.batch, row.steps))
    return tuple(tokens.astype(np.int32))


def random_lengths(row: Row) -> np.ndarray:
    """Returns the number of real tokens of each row, int32[B], from a quarter of T to T."""
    draw = np.random.default_rng(1)
    return draw.integers(row.steps // 4, row.steps + 1, row.batch).astype(np.int32)


def random_labels(row: Row) -> np.ndarray:
    """Returns a label for each row, int32[B]."""
    return np.random.default_rng(2).integers(NUM_LABELS, size=row.batch).astype(np.int32)


def language_model_operations(row: Row) -> int:
    """Counts the multiplications and additions in the matrix products of a language model's step.

    Each product of the forward pass comes with two products of its size in the backward pass. The
    count ignores savings and repetitions of a side.
    """
    from zoo.layers.cells import make_cell  # here, since PyTorch's memory is measured without jax

    tokens = row.batch * row.steps
    shapes = [
        parameter.shape for parameter in make_cell(row.cell, row.size).parameters(row.size).values()
    ]
    layer = sum(math.prod(shape) for shape in shapes if len(shape) == 2)
    return 3 * 2 * tokens * (row.layers * layer + row.size * row.vocabulary)


def update_rule() -> Any:
    """Returns clipping and SGD by optax."""
    import optax

    return optax.chain(optax.clip_by_global_norm(CLIP_NORM), optax.sgd(RATE))
