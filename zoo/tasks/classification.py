"""Classification: choose the label of a text, or its labels.

one label:  loss = -(1/B) sum_b w_b log softmax(y_b)[label of b]
several:    loss = -(1/B) sum_b sum_c  w_c t_bc log p_bc + (1 - t_bc) log(1 - p_bc),
            p = sigmoid(y), t = 1 where text b has label c

With class weights "equal" all w are 1. "balanced": of one label, w_b = N / (C n_label), where n is
how many of the N training texts have it, so that every label counts the same in all; of several,
w_c = min(N / (2 n_c), 10).

Axes: B rows, C labels, N training texts.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from zoo.data.fingerprints import of_labeled
from zoo.data.labeled_batching import LabeledBatch, LabeledBatches, cut_rows, encode_texts
from zoo.data.labeled_corpora import LabeledDataConfig, load_labeled_corpus
from zoo.data.labels import Labels, make_labels
from zoo.data.vocabulary import Vocabulary, build_vocabulary
from zoo.data.word_vectors import vector_words
from zoo.diagnostics.figures import confusion_figure
from zoo.evaluation.classification import (
    ClassificationScore,
    choose_thresholds,
    score_probabilities,
)
from zoo.evaluation.classifying import predict
from zoo.models.registry import build
from zoo.tasks.task import Task
from zoo.tasks.word_vectors import frozen_vectors, start_from, starting_vectors
from zoo.tasks.workload import Workload

Array = jax.Array

_HIGHEST_WEIGHT = 10.0  # of having one of several labels; a rarer one would drown the others


@dataclass(frozen=True)
class Classification(Task):
    """The task of a classifier.

    Attributes:
        model: a module that maps tokens and lengths to a ClassifierOutput.
        multiple: a text may have several labels.
        weights: w of each label.
    """

    model: nn.Module
    multiple: bool
    weights: tuple[float, ...]

    def loss(
        self, params: Any, carry: Any, batch: LabeledBatch, key: Array
    ) -> tuple[Array, tuple[Any, dict[str, Array]]]:
        """Mean loss in nats per text, the carry as it was, and the sums behind the mean.

        Args:
            params: the model's parameters.
            carry: handed on untouched; texts have no past.
            batch: tokens, lengths and targets.
            key: random key for dropout.
        """
        output: Any = self.model.apply(
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
        count = jnp.float32(len(batch.tokens))
        num_tokens = batch.lengths.sum().astype(total.dtype)
        metrics = {"loss_nats": total, "num_targets": count, "num_tokens": num_tokens}
        return total / count, (carry, metrics)


class Split(NamedTuple):
    """The tokens of each of a split's texts, and their targets [N, C]."""

    rows: list[np.ndarray]
    targets: np.ndarray


class EncodedTexts(NamedTuple):
    """A corpus as a classifier takes it.

    Attributes:
        vocabulary: made from the training texts.
        labels: the same.
        train: the training split.
        validation: the validation split.
        notes: what a user should know of texts that were cut.
        fingerprints: of each split, see `zoo.data.fingerprints`.
    """

    vocabulary: Vocabulary
    labels: Labels
    train: Split
    validation: Split
    notes: tuple[str, ...]
    fingerprints: dict[str, str]


def encode_labeled_corpus(data: LabeledDataConfig) -> EncodedTexts:
    """Reads a corpus, and makes its vocabulary and labels.

    Raises:
        UserError: for a corpus that can't be read, or a label that only the other splits have.
    """
    corpus = load_labeled_corpus(data)
    train = corpus.splits["train"]
    labels = make_labels(train.labels, multiple=corpus.multiple)
    vocabulary = build_vocabulary(
        data.vocabulary,
        train.texts,
        max_size=data.vocabulary_size,
        min_count=data.min_count,
        more=vector_words(data.word_vectors) if data.keep_word_vectors else (),
    )
    validation = corpus.splits["validation"]
    rows = encode_texts(vocabulary, train.texts)
    return EncodedTexts(
        vocabulary,
        labels,
        Split(cut_rows(rows, data.max_tokens, data.cut), labels.encode(train.labels)),
        Split(
            encode_texts(vocabulary, validation.texts, data.max_tokens, data.cut),
            labels.encode(validation.labels),
        ),
        _cut(rows, data.max_tokens),
        {split: of_labeled(*texts) for split, texts in corpus.splits.items()},
    )


def build_workload(config: ConfigDict) -> Workload:
    """A classifier on its corpus.

    Raises:
        UserError: for a corpus that can't be read, or a setting that can't be.
    """
    data = LabeledDataConfig(**config.data)
    vocabulary, labels, train, validation, notes, fingerprints = encode_labeled_corpus(data)
    model = build(config.model.to_dict(), len(vocabulary), num_labels=len(labels))
    vectors = starting_vectors(config, vocabulary, np.concatenate(train.rows))
    if vectors:
        notes = (*notes, vectors.report)

    def init_params(key: Array) -> Any:
        params = model.init(key, jnp.zeros((1, 1), jnp.int32), lengths=jnp.ones(1, jnp.int32))
        return start_from(vectors, params["params"])

    weights = _class_weights(labels, config.training.class_weights)
    return Workload(
        task=Classification(model, labels.multiple, weights),
        init_params=init_params,
        carry=(),
        batches=LabeledBatches(
            *train,
            batch_size=data.batch_size,
            bucket_lengths=data.bucket_lengths,
            seed=config.training.seed,
        ),
        vocabulary={"tokens": vocabulary.to_json(), "labels": labels.to_json()},
        evaluate=lambda params: score_split(model, params, validation, labels),
        criterion="error",
        describe=describe,
        sample=lambda params, seed: "",
        figures=lambda params: [confusion_figure(measure(model, params, validation, labels)[0])],
        frozen=frozen_vectors(config, vectors),
        notes=notes,
        fingerprints=fingerprints,
    )


def _cut(rows: list[np.ndarray], max_tokens: int) -> tuple[str, ...]:
    """What max_tokens cuts off the training texts, in a line; none where it cuts nothing."""
    lengths = np.array([len(row) - 1 for row in rows])
    longer = int((lengths > max_tokens).sum()) if max_tokens else 0
    if not longer:
        return ()
    lost = np.maximum(lengths - max_tokens, 0).sum() / lengths.sum()
    return (
        f"{longer:,} of {len(rows):,} training texts are longer than {max_tokens} tokens and "
        f"were cut: {lost:.1%} of all tokens are lost",
    )


def _class_weights(labels: Labels, kind: str) -> tuple[float, ...]:
    """w of each label, see the top of this file."""
    if kind == "equal":
        return (1.0,) * len(labels)
    if labels.multiple:
        half = [labels.num_texts / (2 * count) for count in labels.counts]
        return tuple(min(weight, _HIGHEST_WEIGHT) for weight in half)
    return tuple(labels.num_texts / (len(labels) * count) for count in labels.counts)


def measure(
    model: Any, params: Any, split: Split, labels: Labels
) -> tuple[ClassificationScore, np.ndarray]:
    """The score on a split, and of several labels the thresholds that suit it best, float[C]."""
    found = predict(model, params, split.rows, multiple=labels.multiple)
    thresholds = np.zeros(len(labels))
    if labels.multiple:
        thresholds = choose_thresholds(found.probabilities, split.targets)
    score = score_probabilities(found.probabilities, split.targets, labels, thresholds)
    return score, thresholds


def score_split(model: Any, params: Any, split: Split, labels: Labels) -> dict[str, float]:
    """The scores on a split by name, and of several labels their thresholds.

    `error` is what training is to lower: 1 - accuracy, or of several labels 1 - macro F1.
    """
    score, thresholds = measure(model, params, split, labels)
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
    """Scores in a few words.

    Example:
        >>> describe({"accuracy": 0.9, "majority_accuracy": 0.5, "macro_f1": 0.88, "micro_f1": 0.9})
        'accuracy 0.9000 (majority 0.5000), macro F1 0.8800, micro F1 0.9000'
    """
    return (
        f"accuracy {scores['accuracy']:.4f} (majority {scores['majority_accuracy']:.4f}), "
        f"macro F1 {scores['macro_f1']:.4f}, micro F1 {scores['micro_f1']:.4f}"
    )
