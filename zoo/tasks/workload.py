"""What a task hands to the training loop."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from zoo.data.batching import Batches


class Workload(NamedTuple):
    """A model on a corpus, ready to be trained; the loop needs to know no more than this.

    Attributes:
        task: the loss, see `zoo.training.state.Task`.
        init_params: random key -> parameters before training.
        carry: the recurrent state before the first batch.
        batches: the training batches; `SeededBatches` where several seeds may train at once.
        vocabulary: what `Vocabulary.to_json` gave; saved with every checkpoint.
        evaluate: parameters -> scores on the validation split.
        criterion: the name of the score that training is to lower.
        describe: scores -> a few words for the progress line.
        sample: (parameters, seed) -> a text that shows what the model does, or "".
        figures: parameters -> what the report draws, see `zoo.diagnostics.figures`.
        frozen: by a parameter's name, which of its elements stay as they are: bool arrays that
            broadcast to it; None for none.
        notes: what a user should know before training starts, a line each.
        fingerprints: of each split of the corpus, see `zoo.data.fingerprints`.
        evaluate_ensemble: the parameters of several models -> the scores of the mean of their
            probabilities; None where the task has no such.
    """

    task: Any
    init_params: Callable[[jax.Array], Any]
    carry: Any
    batches: Batches
    vocabulary: dict[str, Any]
    evaluate: Callable[[Any], dict[str, float]]
    criterion: str
    describe: Callable[[dict[str, float]], str]
    sample: Callable[[Any, int], str]
    figures: Callable[[Any], list[dict[str, Any]]]
    frozen: dict[str, np.ndarray] | None = None
    notes: tuple[str, ...] = ()
    fingerprints: dict[str, str] | None = None
    evaluate_ensemble: Callable[[list[Any]], dict[str, float]] | None = None


class CountingWorkload(NamedTuple):
    """A model on a corpus whose parameters are counted in one go.

    Attributes:
        estimate: () -> parameters, and lines about them for the user.
        vocabulary, evaluate, describe, sample, fingerprints: as in `Workload`.
    """

    estimate: Callable[[], tuple[Any, list[str]]]
    vocabulary: dict[str, Any]
    evaluate: Callable[[Any], dict[str, float]]
    describe: Callable[[dict[str, float]], str]
    sample: Callable[[Any, int], str]
    fingerprints: dict[str, str] | None = None
