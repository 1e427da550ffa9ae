"""A model on a corpus, ready to be trained: what a task hands to the training loop."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import jax
import numpy as np

from zoo.data.batching import Batches
from zoo.data.word_vectors import WordVectors
from zoo.models.trained import Checkpoint
from zoo.tasks.task import Objective
from zoo.types import Json, PyTree

Scores = dict[str, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class _OnACorpus(ABC):
    """A model on a corpus.

    Attributes:
        trained: the model with its vocabularies, but without parameters.
        fingerprints: of each split of the corpus, see `zoo.data.fingerprints`.
    """

    trained: Checkpoint
    fingerprints: Mapping[str, str] = field(default_factory=dict)

    @property
    def vocabulary(self) -> Json:
        """What is saved of the vocabularies with every checkpoint."""
        return self.trained.vocabulary_record

    @abstractmethod
    def evaluate(self, params: PyTree) -> Scores:
        """Returns the scores on the validation split."""

    @abstractmethod
    def describe(self, scores: Scores) -> str:
        """Returns scores in a few words, for the line of progress."""

    def sample(self, params: PyTree, seed: int) -> str:
        """Returns a text that shows what the model does; "" where there is none."""
        del params, seed
        return ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Workload(_OnACorpus):
    """A model on a corpus that is trained step by step; the loop needs to know no more than this.

    Attributes:
        criterion: the name of the score that training is to lower.
        objective: the loss.
        batches: the training batches; `SeededBatches` where several seeds may train at once.
        carry: the recurrent state before the first batch.
        frozen: by a parameter's name, which of its elements stay as they are: bool arrays that
            broadcast to it; None for none.
        summary: the corpus in figures, a line each, told before training starts.
        notes: what a user should know beside it, a line each.
        vectors: what the embeddings start from; None for nothing.
    """

    criterion: ClassVar[str] = "error"

    objective: Objective
    batches: Batches
    carry: PyTree = ()
    frozen: Mapping[str, np.ndarray] | None = None
    summary: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    vectors: WordVectors | None = None

    @abstractmethod
    def init_params(self, key: jax.Array) -> PyTree:
        """Returns the parameters before training."""

    def figures(self, params: PyTree) -> list[Json]:
        """Returns what the report draws of the model, see `zoo.diagnostics.figures`."""
        del params
        return []

    def evaluate_ensemble(self, parts: list[PyTree]) -> Scores | None:
        """Returns the scores of the mean of several models' probabilities; None where a task has
        no such."""
        del parts
        return None


@dataclass(frozen=True, kw_only=True, eq=False)
class CountingWorkload(_OnACorpus):
    """A model on a corpus whose parameters are counted in one go."""

    @abstractmethod
    def estimate(self) -> tuple[PyTree, list[str]]:
        """Returns the parameters, and lines about them for the user."""
