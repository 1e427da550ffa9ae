"""Classification: choose the label or the labels of a text.

one label:  loss = -(1/B) sum_b w_b log softmax(y_b)[label of b]
several:    loss = -(1/B) sum_b sum_c  w_c t_bc log p_bc + (1 - t_bc) log(1 - p_bc),
            p = sigmoid(y), t = 1 where text b has label c

The class weights "equal" set all w to 1. "balanced" weights rare labels more. With one label per
text, w_b = N / (C n_label), where n_label is the number of training texts with the label. So all
labels have the same total weight. With several labels per text, w_c = min(N / (2 n_c), 10).

Axes: B rows, C labels, N training texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from zoo.data.config import LabeledDataConfig
from zoo.data.fingerprints import of_labeled
from zoo.data.labeled_batching import LabeledBatch, LabeledBatches
from zoo.data.labels import Labels, labels_from_json
from zoo.data.loading import LabeledTexts, load_labeled_corpus
from zoo.data.tables import Columns, read_table
from zoo.data.vocabulary import vocabulary_from_json
from zoo.diagnostics.classification_figures import classification_figures
from zoo.errors import UserError
from zoo.evaluation.classification import (
    ClassificationScore,
    choose_thresholds,
    score_probabilities,
)
from zoo.evaluation.classifying import (
    CLASSIFIER,
    TrainedClassifier,
    classify,
    evaluate_classifier,
    predict,
)
from zoo.evaluation.comparing import Measure, TextStatistics, all_f1, mean_f1, ratio
from zoo.models.classifier import ClassifierOutput
from zoo.models.output import Model
from zoo.models.registry import build
from zoo.tasks.by_size import LENGTHS, MANY_LABELS, lengths, settings_of_texts
from zoo.tasks.encoded_labeled import Split, encode_labeled_corpus
from zoo.tasks.known_tokens import tokens_to_keep
from zoo.tasks.losses import mean_and_sums
from zoo.tasks.own_corpus import note_other_text, own_data_config
from zoo.tasks.settings import EvaluationConfig, TrainingConfig
from zoo.tasks.task import Loss, Objective, Request, Task, sections
from zoo.tasks.word_vectors import frozen_vectors, start_from, starting_vectors
from zoo.tasks.workload import Scores, Workload
from zoo.types import Json, Params, PyTree

Array = jax.Array

CLASS_WEIGHTS = ("equal", "balanced")
_HIGHEST_WEIGHT = 10.0  # with several labels; rarer labels would drown the others


@dataclass(frozen=True)
class ClassifierTraining(TrainingConfig):
    """The settings of the loop for a classifier.

    Attributes:
        freeze_word_vectors: whether embeddings from data.word_vectors stay fixed. Words without a
            vector are always trained.
        keep_tokens: whether all tokens of the model in init_from enter the vocabulary, also those
            without an occurrence in the training texts; for few training texts.
        class_weights: equal, or balanced. "balanced" weights each label by the inverse of its
            frequency in the training split.
    """

    freeze_word_vectors: bool = False
    keep_tokens: bool = False
    class_weights: str = "equal"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.class_weights not in CLASS_WEIGHTS:
            raise UserError(
                f"training.class_weights is {self.class_weights!r}; "
                f"use {' or '.join(CLASS_WEIGHTS)}"
            )


@dataclass(frozen=True)
class ClassifierLoss(Objective):
    """The loss of a classifier.

    Attributes:
        model: a module that maps tokens and lengths to a ClassifierOutput.
        multiple: whether a text may have several labels.
        weights: the weight w of each label.
    """

    model: Model
    multiple: bool
    weights: tuple[float, ...]

    def loss(self, params: Params, carry: PyTree, batch: LabeledBatch, key: Array) -> Loss:
        """Returns the mean loss in nats per text; see `Objective.loss`."""
        output: ClassifierOutput = self.model.apply(
            {"params": params},
            batch.tokens,
            lengths=batch.lengths,
            deterministic=False,
            rngs={"dropout": key},
        )
        weights = jnp.asarray(self.weights)[None]
        targets = jnp.asarray(batch.targets)
        if self.multiple:
            present = weights * targets * jax.nn.log_sigmoid(output.logits)
            absent = (1 - targets) * jax.nn.log_sigmoid(-output.logits)
            total = -(present + absent).sum()
        else:
            total = -(weights * targets * jax.nn.log_softmax(output.logits)).sum()
        return mean_and_sums(total, jnp.float32(len(batch.tokens)), batch.lengths.sum(), carry)


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassifierWorkload(Workload):
    """A classifier on its corpus.

    Attributes:
        trained: the classifier without parameters.
        validation: the validation split.
        validation_texts: the texts of the validation split, which the report quotes.
    """

    trained: TrainedClassifier
    validation: Split
    validation_texts: Sequence[str]

    def init_params(self, key: Array) -> PyTree:
        """Returns the parameters before training."""
        return start_from(self.vectors, CLASSIFICATION.init(self.trained.model, key))

    def evaluate(self, params: PyTree) -> Scores:
        """Returns the scores on the validation split."""
        return score_split(self.trained.with_params(params), self.validation)

    def describe(self, scores: Scores) -> str:
        """Returns a short description of scores."""
        return describe(scores)

    def figures(self, params: PyTree) -> list[Json]:
        """Returns the scores of each label, the confusions, and the hardest examples."""
        found = measure(self.trained.with_params(params), self.validation)
        return classification_figures(
            found.score,
            found.probabilities,
            self.validation.targets,
            self.trained.labels,
            found.thresholds,
            self.validation_texts,
        )


class Classification(Task):
    """Classifiers of texts, with one label or several."""

    kind = CLASSIFIER
    records = sections(LabeledDataConfig, ClassifierTraining, EvaluationConfig)
    flags = frozenset({"text", "picture"})
    open_fields = LENGTHS | frozenset(settings_of_texts(1000, 2))

    def settle(self, config: ConfigDict) -> Json:
        """Returns values for open fields by the number of training texts; see `Task.settle`."""
        given: Json = {name: value for name, value in config.data.items() if value is not None}
        # The workload reads the corpus again, and tells what it skips.
        train = load_labeled_corpus(LabeledDataConfig(**given), is_told=False).splits["train"]
        num_texts, num_labels = len(train.texts), len({one for row in train.labels for one in row})
        values = settings_of_texts(num_texts, num_labels, config.model.cell)
        steps_per_epoch = num_texts / (config.data.batch_size or values["data.batch_size"])
        aim, most = (2400, 16) if num_labels >= MANY_LABELS else (1000, 10)
        return values | lengths(config, steps_per_epoch, aim=aim, most=most)

    def open(self, config: Json, vocabulary: Json, progress: Json) -> TrainedClassifier:
        """Returns a checkpoint without its parameters; see `Task.open`."""
        labels = labels_from_json(vocabulary["labels"])
        tokens = vocabulary_from_json(vocabulary["tokens"])
        data = config.get("data", {})
        return TrainedClassifier(
            model=build(config["model"], len(tokens), num_labels=len(labels)),
            vocabulary=tokens,
            config=config,
            progress=progress,
            labels=labels,
            thresholds=labels.thresholds_in(progress.get("validation", {})),
            max_tokens=int(data.get("max_tokens", 0)),
            cut=str(data.get("cut", "end")),
        )

    def init(self, model: nn.Module, key: Array) -> PyTree:
        """Returns a model's parameters before training."""
        tokens, lengths = jnp.zeros((1, 1), jnp.int32), jnp.ones(1, jnp.int32)
        return model.init(key, tokens, lengths=lengths)["params"]

    def workload(self, config: ConfigDict) -> ClassifierWorkload:
        """Returns a classifier on its corpus; see `Task.workload`."""
        data = LabeledDataConfig(**config.data)
        texts = encode_labeled_corpus(data, tokens_to_keep(config))
        labels, vocabulary, train = texts.labels, texts.vocabulary, texts.train
        model = build(config.model.to_dict(), len(vocabulary), num_labels=len(labels))
        vectors = starting_vectors(config, vocabulary, np.concatenate(train.rows))
        return ClassifierWorkload(
            trained=TrainedClassifier(model=model, vocabulary=vocabulary, labels=labels),
            fingerprints=texts.fingerprints,
            objective=ClassifierLoss(
                model, labels.multiple, _class_weights(labels, config.training.class_weights)
            ),
            batches=LabeledBatches(
                *train,
                batch_size=data.batch_size,
                bucket_lengths=data.bucket_lengths,
                seed=config.training.seed,
            ),
            frozen=frozen_vectors(config, vectors),
            summary=texts.summary,
            notes=(*texts.notes, *([vectors.report] if vectors else [])),
            validation=texts.validation,
            validation_texts=texts.validation_texts,
            vectors=vectors,
        )

    def measure(self, checkpoint: TrainedClassifier, request: Request) -> ClassificationScore:
        """Returns the scores of a classifier on a split or a table; see `Task.measure`."""
        return evaluate_classifier(checkpoint, *_labeled_texts(checkpoint, request))

    def statistics(self, checkpoint: TrainedClassifier, request: Request) -> TextStatistics:
        """Returns the counts of right labels for each text; see `Task.statistics`."""
        texts, labels = _labeled_texts(checkpoint, request)
        truth = checkpoint.labels.encode(labels) > 0
        found = checkpoint.labels.encode([one.labels for one in classify(checkpoint, texts)]) > 0
        is_right = (truth == found).all(axis=1)
        support = np.concatenate([2.0 * (truth & found), 1.0 * found + truth], axis=1)
        measures = {
            "accuracy": Measure(np.stack([is_right, np.ones(len(texts))], axis=1), ratio),
            "macro_f1": Measure(support, mean_f1),
            "micro_f1": Measure(support, all_f1),
        }
        named = [f"{text} ({', '.join(own)})" for text, own in zip(texts, labels, strict=True)]
        return TextStatistics(named, measures)


CLASSIFICATION = Classification()


def _labeled_texts(checkpoint: TrainedClassifier, request: Request) -> LabeledTexts:
    """Returns the texts of a request, and their labels."""
    directory = "" if request.files else request.directory
    data = own_data_config(checkpoint, LabeledDataConfig, directory)
    if request.files:
        examples = read_table(request.files[0], Columns.of(data))
        return LabeledTexts(*map(list, zip(*examples, strict=True)))
    texts = load_labeled_corpus(data).splits[request.split]
    note_other_text(checkpoint, request.split, of_labeled(*texts))
    return texts


def _class_weights(labels: Labels, kind: str) -> tuple[float, ...]:
    """Returns the weight w of each label, see the top of this file."""
    if kind == "equal":
        return (1.0,) * len(labels)
    if labels.multiple:
        half = [labels.num_texts / (2 * count) for count in labels.counts]
        return tuple(min(weight, _HIGHEST_WEIGHT) for weight in half)
    return tuple(labels.num_texts / (len(labels) * count) for count in labels.counts)


class Measured(NamedTuple):
    """What was measured on a split.

    Attributes:
        score: the score on the split.
        thresholds: float[C], the thresholds that suit the split best; zeros if each text has
            exactly one label.
        probabilities: float[N, C], the probability of each label.
    """

    score: ClassificationScore
    thresholds: np.ndarray
    probabilities: np.ndarray


def measure(trained: TrainedClassifier, split: Split) -> Measured:
    """Returns how well a classifier labels a split."""
    labels = trained.labels
    found = predict(trained.model, trained.params, split.rows, multiple=labels.multiple)
    thresholds = np.zeros(len(labels))
    if labels.multiple:
        thresholds = choose_thresholds(found.probabilities, split.targets)
    score = score_probabilities(found.probabilities, split.targets, labels, thresholds)
    return Measured(score, thresholds, found.probabilities)


def score_split(trained: TrainedClassifier, split: Split) -> Scores:
    """Returns the scores on a split by name, and the thresholds if texts have several labels.

    Training minimises `error`: 1 - accuracy, or 1 - macro F1 if texts have several labels.
    """
    labels = trained.labels
    score, thresholds, _ = measure(trained, split)
    record = {
        "error": 1 - (score.macro_f1 if labels.multiple else score.accuracy),
        "accuracy": score.accuracy,
        "macro_f1": score.macro_f1,
        "micro_f1": score.micro_f1,
        "nats_per_text": score.nats_per_text,
        "calibration_error": score.calibration_error,
        "majority_accuracy": score.majority_accuracy,
    }
    if labels.multiple:
        record |= labels.name_thresholds(thresholds)
    return record


def describe(scores: dict[str, float]) -> str:
    """Returns a short description of scores.

    Example:
        >>> describe({"accuracy": 0.9, "majority_accuracy": 0.5, "macro_f1": 0.88, "micro_f1": 0.9})
        'accuracy 0.9000 (majority 0.5000), macro F1 0.8800, micro F1 0.9000'
    """
    return (
        f"accuracy {scores['accuracy']:.4f} (majority {scores['majority_accuracy']:.4f}), "
        f"macro F1 {scores['macro_f1']:.4f}, micro F1 {scores['micro_f1']:.4f}"
    )
