"""The same language models with Keras 3 on jax, by train_on_batch; each step starts at zero."""

import os
from collections.abc import Callable

os.environ["KERAS_BACKEND"] = "jax"

import keras

from benchmarks.rows import CLIP_NORM, RATE, Row, random_tokens


def build(row: Row, steps_a_call: int) -> Callable[[], float]:
    """Returns a call that takes the given number of steps, waits, and returns the last loss."""
    cells = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "elman": keras.layers.SimpleRNN}
    model = keras.Sequential(
        [
            keras.layers.Embedding(row.vocabulary, row.size),
            *(cells[row.cell](row.size, return_sequences=True) for _ in range(row.layers)),
            keras.layers.Dense(row.vocabulary),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.SGD(RATE, global_clipnorm=CLIP_NORM),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    inputs, targets = random_tokens(row)

    def step() -> float:
        for _ in range(steps_a_call):
            loss = float(model.train_on_batch(inputs, targets))
        return loss

    return step
