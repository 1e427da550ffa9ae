"""Time of one train step, ours beside flax.linen.RNN, in alternating processes.

    python benchmarks/train_step.py                      every row
    python benchmarks/train_step.py --rows lstm_2x650    one row
    python benchmarks/train_step.py --rounds 5           more pairs of processes

Both sides do the same work: embedding, recurrent layers, output layer, cross-entropy, gradient,
clip by global norm, SGD; ours in calls of several steps, as train.py takes them. A process
compiles, takes some steps untimed, then reports the median of the others. Two never run at once,
and the ratio is taken pair by pair, so that a machine whose speed drifts does not favour either.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

REPOSITORY = Path(__file__).resolve().parents[1]
STEPS_PER_CALL = 5  # of ours; also the untimed steps of either side


class Row(NamedTuple):
    """One model and the shape of its batches."""

    cell: str
    layers: int
    size: int
    vocabulary: int
    steps: int
    batch: int


ROWS = {
    "lstm_2x200": Row("lstm", 2, 200, 10_000, 20, 20),
    "lstm_2x650": Row("lstm", 2, 650, 10_000, 35, 20),
    "lstm_1x256": Row("lstm", 1, 256, 64, 64, 64),
    "lstm_2x512": Row("lstm", 2, 512, 64, 128, 64),
    "elman_1x200": Row("elman", 1, 200, 10_000, 20, 20),
}


def ours(row: Row) -> Callable[[], Any]:
    """A call of ours that takes STEPS_PER_CALL steps and waits for them."""
    import jax
    import numpy as np

    from zoo.data.batching import Batch
    from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig
    from zoo.tasks.language_modeling import LanguageModeling
    from zoo.training.state import create_state, train_steps

    inputs, targets = random_tokens(row)
    config = RecurrentLMConfig(
        cell=row.cell, embedding_size=row.size, hidden_sizes=(row.size,) * row.layers
    )
    model = RecurrentLM(config, row.vocabulary)
    params = jax.jit(model.init)(jax.random.key(0), inputs)["params"]
    state = create_state(
        LanguageModeling(model), optimizer(), params, model.zero_carry(row.batch), jax.random.key(1)
    )
    lengths = np.full(row.batch, row.steps, np.int32)
    batch = Batch(inputs, targets, lengths, np.zeros(row.batch, bool))
    batches = jax.tree.map(lambda array: np.stack([array] * STEPS_PER_CALL), batch)

    def step() -> Any:
        nonlocal state
        state, metrics = train_steps(state, batches, STEPS_PER_CALL)
        return jax.block_until_ready((state.params, metrics))

    return step


def flax_rnn(row: Row) -> Callable[[], Any]:
    """A call that takes one step of the same model built of flax.linen parts, and waits for it."""
    from functools import partial

    import flax.linen as nn
    import jax
    import jax.numpy as jnp
    import optax

    cells = {"lstm": nn.OptimizedLSTMCell, "elman": nn.SimpleCell}

    class Model(nn.Module):
        @nn.compact
        def __call__(self, tokens: Any, carries: list[Any]) -> tuple[Any, list[Any]]:
            hidden, finals = nn.Embed(row.vocabulary, row.size)(tokens), []
            for carry in carries:
                layer = nn.RNN(cells[row.cell](row.size), return_carry=True)
                final, hidden = layer(hidden, initial_carry=carry)
                finals.append(final)
            return nn.Dense(row.vocabulary)(hidden), finals

    inputs, targets = random_tokens(row)
    zeros = [jnp.zeros((row.batch, row.size)) for _ in range(2 * row.layers)]
    pairs = list(zip(zeros[::2], zeros[1::2], strict=True))
    carries: list[Any] = pairs if row.cell == "lstm" else zeros[: row.layers]
    model, update = Model(), optimizer()
    params = jax.jit(model.init)(jax.random.key(0), inputs, carries)
    state = (params, update.init(params), jax.tree.map(jnp.copy, carries))

    @partial(jax.jit, donate_argnums=0)
    def train(state: Any, inputs: Any, targets: Any) -> tuple[Any, Any]:
        params, optimizer_state, carries = state

        def loss(params: Any) -> Any:
            logits, finals = model.apply(params, inputs, carries)
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
            return losses.mean(), finals

        (value, finals), grads = jax.value_and_grad(loss, has_aux=True)(params)
        updates, optimizer_state = update.update(grads, optimizer_state, params)
        return (optax.apply_updates(params, updates), optimizer_state, finals), value

    def step() -> Any:
        nonlocal state
        state, value = train(state, inputs, targets)
        return jax.block_until_ready((state, value))

    return step


SIDES = {"ours": (ours, STEPS_PER_CALL), "flax": (flax_rnn, 1)}


def random_tokens(row: Row) -> tuple[Any, Any]:
    """Inputs and targets, int32[B, T]."""
    import numpy as np

    tokens = np.random.default_rng(0).integers(0, row.vocabulary, (2, row.batch, row.steps))
    inputs, targets = tokens.astype(np.int32)
    return inputs, targets


def optimizer() -> Any:
    """What both sides update with."""
    import optax

    return optax.chain(optax.clip_by_global_norm(5.0), optax.sgd(0.1))


def measure(side: str, row: str, num_steps: int) -> dict[str, float]:
    """In this process: seconds to the end of the first call, and milliseconds a step after it."""
    build, steps_a_call = SIDES[side]
    started = time.perf_counter()
    call = build(ROWS[row])
    call()
    first = time.perf_counter() - started
    times = []
    for index in range(0, STEPS_PER_CALL + num_steps, steps_a_call):
        before = time.perf_counter()
        call()
        if index >= STEPS_PER_CALL:
            times.append((time.perf_counter() - before) / steps_a_call)
    return {"first_call_seconds": first, "milliseconds": 1e3 * statistics.median(times)}


def measure_apart(side: str, row: str, num_steps: int) -> dict[str, float]:
    """`measure` in a process of its own."""
    command = [sys.executable, __file__, "--measure", side, "--rows", row]
    result = subprocess.run(
        [*command, "--steps", str(num_steps)], capture_output=True, text=True, check=True
    )
    return json.loads(result.stdout.splitlines()[-1])


def compare(row: str, rounds: int, num_steps: int) -> str:
    """One line of the table: medians of both sides, and the ratio's median and range."""
    times: dict[str, list[float]] = {side: [] for side in SIDES}
    for _ in range(rounds):
        for side in SIDES:
            times[side].append(measure_apart(side, row, num_steps)["milliseconds"])
    ratios = sorted(
        theirs / ours_ for ours_, theirs in zip(times["ours"], times["flax"], strict=True)
    )
    return (
        f"| {row} | {statistics.median(times['ours']):.1f} | "
        f"{statistics.median(times['flax']):.1f} | {statistics.median(ratios):.2f} | "
        f"{ratios[0]:.2f}-{ratios[-1]:.2f} |"
    )


def main() -> None:
    """Prints the table, or with --measure one side's figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--rounds", type=int, default=3, help="pairs of processes a row")
    parser.add_argument("--steps", type=int, default=20, help="timed steps a process")
    parser.add_argument("--measure", choices=SIDES, help="measure one side in this process")
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, arguments.rows[0], arguments.steps)))
        return
    print("| row | ours, ms | flax.linen.RNN, ms | times faster | range |\n|---|---|---|---|---|")
    for row in arguments.rows:
        print(compare(row, arguments.rounds, arguments.steps), flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(REPOSITORY))
    main()
