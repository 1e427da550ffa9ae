"""Memory of each recurrence: recall of pairs, copying, and adding, for sequences of growing length.

    python experiments/recall.py --workdir=runs/recall
    python experiments/recall.py --workdir=runs/copy --tasks=copying_1000 --cells=lstm,lru
    python experiments/recall.py --workdir=runs/smoke --smoke

Trains every cell, and a Transformer, on three tasks:

    recall_P    P pairs of a key and a value, then the same keys in random order and at random
                places among fillers: what is the value of each key? (Multi-query associative
                recall; Arora et al. 2024, who train for hours. Here there are 64 keys and 64
                values, at most 256 steps, and the places of the keys are drawn uniformly.)
    copying_T   ten symbols, then T blanks, then ten questions: which symbols were they?
                (Hochreiter and Schmidhuber 1997; Arjovsky et al. 2016)
    adding_T    T numbers between 0 and 1, with one marked in each half: what is the sum of the two
                marked numbers? An answer is right if it is off by less than 0.04, as in Hochreiter
                and Schmidhuber.

All cells stand in the same residual blocks, see sequence_learning.py, after a convolution of width
4, as Arora et al. have it. Without one, a single layer never sees a key and its value together:
neither the Transformer nor linear attention then finds more than which values there are. Scores are
right answers in per cent, on new sequences of the same length. vanishing_gradient.py has a recall
task of one symbol for plain layers and plain gradient descent.

Prints a table. Writes recall.md, recall.png and recall.jsonl, with a line for each finished run, to
the workdir. The same command continues a stopped experiment.
"""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # for a checkout that is not installed

from experiments.score_grid import Grid, parse_arguments, run_grid
from experiments.sequence_learning import Answering, SequenceModel, Settings, score, train
from zoo.tasks.task import Objective
from zoo.terminal import run_script

Array = jax.Array
Draw = np.random.Generator

NUM_KEYS = NUM_VALUES = 64
FILLER = NUM_KEYS + NUM_VALUES
STEPS_OF_PAIRS = {4: 64, 8: 128, 16: 256}  # Arora et al. have 4 in 64, 8 in 128, 16 in 256
NUM_COPIED, NUM_SYMBOLS = 10, 8
BLANK, QUESTION = NUM_SYMBOLS, NUM_SYMBOLS + 1
GAPS = (100, 300, 1000)
NEAR = 0.04
SCORED_ROWS = 256


class Batch(NamedTuple):
    """The inputs of a network, and the answers that it should give.

    Attributes:
        inputs: int32[B, T], or float32[B, T, 2], numbers and their marks.
        targets: int32[B, T], -1 at steps without an answer; or float32[B], sums.
    """

    inputs: np.ndarray
    targets: np.ndarray


def recall(num_pairs: int, num_steps: int, num_rows: int, draw: Draw) -> Batch:
    """Returns pairs of keys and values, and then each key once, at random places.

    Example:
        >>> batch = recall(1, 4, 1, np.random.default_rng(0))
        >>> batch.inputs.tolist(), batch.targets.tolist()
        ([[11, 121, 128, 11]], [[-1, -1, -1, 57]])
    """
    rows = np.arange(num_rows)[:, None]
    keys = draw.random((num_rows, NUM_KEYS)).argsort(axis=1)[:, :num_pairs]
    values = draw.integers(NUM_VALUES, size=(num_rows, num_pairs))
    inputs = np.full((num_rows, num_steps), FILLER)
    inputs[:, : 2 * num_pairs : 2], inputs[:, 1 : 2 * num_pairs : 2] = keys, NUM_KEYS + values
    rest = draw.random((num_rows, num_steps - 2 * num_pairs)).argsort(axis=1)
    places = 2 * num_pairs + rest[:, :num_pairs]
    targets = np.full(inputs.shape, -1)
    inputs[rows, places], targets[rows, places] = keys, values
    return Batch(inputs.astype(np.int32), targets.astype(np.int32))


def copying(gap: int, num_rows: int, draw: Draw) -> Batch:
    """Returns symbols, blanks, and questions for the symbols in the same order."""
    symbols = draw.integers(NUM_SYMBOLS, size=(num_rows, NUM_COPIED))
    blanks = np.full((num_rows, gap), BLANK)
    questions = np.full(symbols.shape, QUESTION)
    inputs = np.concatenate([symbols, blanks, questions], axis=1)
    targets = np.full(inputs.shape, -1)
    targets[:, -NUM_COPIED:] = symbols
    return Batch(inputs.astype(np.int32), targets.astype(np.int32))


def adding(num_steps: int, num_rows: int, draw: Draw) -> Batch:
    """Returns numbers with one mark in each half, and the sums of the marked numbers."""
    rows, half = np.arange(num_rows), num_steps // 2
    numbers, marks = draw.random((num_rows, num_steps)), np.zeros((num_rows, num_steps))
    marks[rows, draw.integers(half, size=num_rows)] = 1
    marks[rows, draw.integers(half, num_steps, size=num_rows)] = 1
    inputs = np.stack([numbers, marks], axis=-1).astype(np.float32)
    return Batch(inputs, (numbers * marks).sum(axis=1).astype(np.float32))


@dataclass(frozen=True)
class Adding(Objective):
    """The task of the sum after the last step; answers that are off by less than NEAR are right.

    Attributes:
        model: a `SequenceModel` with one output.
    """

    model: SequenceModel

    def loss(
        self, params: Any, carry: Any, batch: Batch, key: Array
    ) -> tuple[Array, tuple[Any, dict[str, Array]]]:
        """Returns the mean squared error, the unchanged carry, and sums with their count."""
        del key
        outputs: Any = self.model.apply({"params": params}, batch.inputs)
        error = outputs[:, -1, 0] - batch.targets
        total = jnp.square(error).sum()
        right = (jnp.abs(error) < NEAR).sum().astype(jnp.float32)
        count = jnp.float32(len(error))
        return total / count, (carry, {"squares": total, "score": right, "num_targets": count})


TASKS = {
    **{f"recall_{pairs}": partial(recall, pairs, s) for pairs, s in STEPS_OF_PAIRS.items()},
    **{f"copying_{gap}": partial(copying, gap) for gap in GAPS},
    **{f"adding_{gap}": partial(adding, gap) for gap in GAPS},
}
GUESSING = {"recall": 100 / NUM_VALUES, "copying": 100 / NUM_SYMBOLS, "adding": 7.8}
GRID = Grid(
    name="recall",
    guessing={name: GUESSING[name.split("_")[0]] for name in TASKS},
    published={},
    smoke_cells="lstm,delta_net,transformer",
    smoke_tasks="recall_4,copying_100,adding_100",
)


def main() -> None:
    """Trains and evaluates the cells, and prints the table."""
    settings = Settings(convolution_width=4, learning_rates=(6e-3,))
    arguments = parse_arguments(__doc__.splitlines()[0], GRID, settings)
    note = (
        "Right answers in per cent. For adding, guessing is the mean, which is off by less than "
        f"{NEAR} in {GUESSING['adding']} % of all cases."
    )
    run_grid(arguments, GRID, learn, note)


def learn(cell: str, name: str, seed: int, settings: Settings) -> dict[str, Any]:
    """Trains one cell on one task; returns its scores in per cent."""
    sizes = (settings.width, settings.num_layers, settings.convolution_width)
    make = TASKS[name]
    task: Objective
    if name.startswith("adding"):
        task = Adding(SequenceModel(cell, 0, 1, *sizes))
    else:
        task = Answering(SequenceModel(cell, FILLER + 1, FILLER + 1, *sizes))
    state, recent = train(task, partial(make, settings.batch_size), settings, seed)
    draw = np.random.default_rng([seed, 1])
    batches = [make(settings.batch_size, draw) for _ in range(SCORED_ROWS // settings.batch_size)]
    return {
        "score": 100 * score(task, state.params, batches),
        "training_score": 100 * recent,
        "steps": int(state.step),
    }


if __name__ == "__main__":
    run_script(main)
