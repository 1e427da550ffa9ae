"""Workloads: a model with its corpus, which a task passes to the training loop."""

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
        fingerprints: the fingerprint of each split of the corpus, see `zoo.data.fingerprints`.
    """

    trained: Checkpoint
    fingerprints: Mapping[str, str] = field(default_factory=dict)

    @property
    def vocabulary(self) -> Json:
        """The record of the vocabularies in every checkpoint."""
        return self.trained.vocabulary_record

    @abstractmethod
    def evaluate(self, params: PyTree) -> Scores:
        """Returns the scores on the validation split."""

    @abstractmethod
    def describe(self, scores: Scores) -> str:
        """Returns a short description of scores, for the line of progress."""

    def sample(self, params: PyTree, seed: int) -> str:
        """Returns a text that shows what the model does; "" if there is none."""
        del params, seed
        return ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Workload(_OnACorpus):
    """A model on a corpus that is trained step by step: everything that the training loop needs.

    Attributes:
        criterion: the name of the score that training minimises.
        objective: the loss.
        batches: the training batches; `SeededBatches` if several seeds may be trained at once.
        carry: the recurrent state before the first batch.
        frozen: for each frozen parameter, by name, a bool array that broadcasts to it and is True
            at elements that stay fixed; None means that nothing is frozen.
        summary: lines with the numbers of the corpus, which are shown before training starts.
        notes: further lines for the user.
        vectors: the initial word vectors; None means a random start.
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
        """Returns the figures of the report, see `zoo.diagnostics.figures`."""
        del params
        return []

    def evaluate_ensemble(self, parts: list[PyTree]) -> Scores | None:
        """Returns the scores of the ensemble, the mean of several models' probabilities.

        Returns None if the task has no ensembles.
        """
        del parts
        return None


@dataclass(frozen=True, kw_only=True, eq=False)
class CountingWorkload(_OnACorpus):
    """A model on a corpus whose parameters are counted in one pass."""

    @abstractmethod
    def estimate(self) -> tuple[PyTree, list[str]]:
        """Counts the parameters; returns them, and lines about them for the user."""
