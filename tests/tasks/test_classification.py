"""The task of a classifier: its loss against NumPy, and that every setting gets there."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from labeled_texts import classifier_config, labeled_texts, write_csv, write_jsonl

from zoo.data.labeled_batching import LabeledBatch
from zoo.errors import UserError
from zoo.models.classifier import Classifier, ClassifierConfig
from zoo.tasks.classification import ClassifierLoss
from zoo.tasks.registry import build_workload
from zoo.training.config import base_config

KEY = jax.random.key(0)
DRAW = np.random.default_rng(0)
BATCH = LabeledBatch(
    tokens=DRAW.integers(0, 11, (4, 6)).astype(np.int32),
    lengths=np.array([6, 2, 1, 4], np.int32),
    targets=np.eye(3, dtype=np.float32)[[0, 2, 2, 1]],
)
MODEL = Classifier(ClassifierConfig(embedding_size=4, hidden_sizes=(5,), head_size=6), 11, 3)


def start(model):
    tokens, lengths = jnp.zeros((1, 1), jnp.int32), jnp.ones(1, jnp.int32)
    params = jax.jit(model.init)(KEY, tokens, lengths=lengths)["params"]
    return jax.tree.map(lambda leaf: leaf * 3, params)


@pytest.mark.parametrize("multiple", [False, True])
@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0), (0.5, 2.0, 3.0)])
def test_the_loss_is_the_mean_over_texts(multiple, weights):
    params = start(MODEL)
    batch = BATCH
    if multiple:
        batch = BATCH._replace(targets=(DRAW.uniform(size=(4, 3)) > 0.5).astype(np.float32))
    output = jax.jit(MODEL.apply)({"params": params}, batch.tokens, lengths=batch.lengths)
    total = 0.0
    for logits, targets in zip(np.asarray(output.logits, float), batch.targets, strict=True):
        if multiple:
            p = 1 / (1 + np.exp(-logits))
            for label in range(3):
                if targets[label]:
                    total -= weights[label] * np.log(p[label])
                else:
                    total -= np.log(1 - p[label])
        else:
            label = targets.argmax()
            total -= weights[label] * np.log(np.exp(logits[label]) / np.exp(logits).sum())
    task = ClassifierLoss(MODEL, multiple, weights)
    loss, (carry, metrics) = jax.jit(task.loss)(params, (), batch, KEY)
    assert float(loss) == pytest.approx(total / 4, rel=1e-5)
    assert carry == ()
    assert float(metrics["loss_nats"]) == pytest.approx(total, rel=1e-5)
    assert (metrics["num_targets"], metrics["num_tokens"]) == (4, 13)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    directory = tmp_path_factory.mktemp("labelled")
    rows = [
        (text, f"{label},{number % 2}", f"title {number % 9}", "ab"[number % 2])
        for number, (text, label) in enumerate(labeled_texts())
    ]
    return write_csv(directory / "texts.csv", rows, ("text", "label", "title", "source"))


def tiny_config(corpus, **more):
    settings = {
        "model.embedding_size": 6,
        "model.hidden_sizes": (5,),
        "model.head_size": 4,
    }
    more = {name.replace("__", "."): value for name, value in more.items()}
    return classifier_config(corpus, **(settings | more))


def shapes(workload):
    batches = workload.batches
    return sorted(batches.batch(0, n).tokens.shape for n in range(batches.batches_per_epoch))


DATA_CHANGES = {
    "validation_fraction": (0.4, lambda w: w.batches.batches_per_epoch),
    "test_fraction": (0.4, lambda w: w.batches.batches_per_epoch),
    "vocabulary": ("character", lambda w: w.vocabulary["tokens"]["tokens"]),
    "vocabulary_size": (10, lambda w: len(w.vocabulary["tokens"]["tokens"])),
    "min_count": (20, lambda w: len(w.vocabulary["tokens"]["tokens"])),
    "max_tokens": (3, lambda w: (shapes(w), w.notes)),
    "batch_size": (5, shapes),
    "bucket_lengths": ((4, 20), shapes),
    "label_separator": (",", lambda w: (w.objective.multiple, w.vocabulary["labels"]["names"])),
    "text_column": ("title", lambda w: w.vocabulary["tokens"]["tokens"]),
    "label_column": ("source", lambda w: w.vocabulary["labels"]["names"]),
}


@pytest.mark.parametrize("field", DATA_CHANGES)
def test_every_setting_of_the_data_reaches_the_workload(corpus, field):
    fields = set(base_config("classifier").data.keys())
    elsewhere = {"corpus", "directory", "cache_directory", "word_vectors", "keep_word_vectors"}
    elsewhere |= {"cut", "skip_unlabeled"}
    assert fields == DATA_CHANGES.keys() | elsewhere
    value, observe = DATA_CHANGES[field]
    before = observe(build_workload(tiny_config(corpus)))
    assert before != observe(build_workload(tiny_config(corpus, **{f"data.{field}": value})))


def test_what_was_cut_is_told(corpus):
    assert build_workload(tiny_config(corpus)).notes == ()
    (note,) = build_workload(tiny_config(corpus, data__max_tokens=5)).notes
    train = [len(row) - 1 for row in build_workload(tiny_config(corpus)).batches._rows]
    longer = [length for length in train if length > 5]
    lost = sum(length - 5 for length in longer) / sum(train)
    assert note.startswith(f"{len(longer)} of {len(train)} training texts are longer than 5 tokens")
    assert f"{lost:.1%} of all tokens" in note


def test_the_middle_is_cut_where_that_is_wanted(corpus):
    whole = build_workload(tiny_config(corpus)).batches._rows
    middle = build_workload(tiny_config(corpus, data__max_tokens=5, data__cut="middle"))
    for row, cut in zip(whole, middle.batches._rows, strict=True):
        wanted = row if len(row) <= 6 else [*row[:3], *row[-3:]]
        assert cut.tolist() == list(wanted)


def test_balanced_weights_count_every_label_the_same(tmp_path):
    rows = [("x", "rare")] * 10 + [("y", "frequent")] * 30
    path = write_csv(tmp_path / "texts.csv", rows, ("text", "label"))
    task = build_workload(tiny_config(path, training__class_weights="balanced")).objective
    labels = build_workload(tiny_config(path)).vocabulary["labels"]
    total = labels["num_texts"]
    for weight, count in zip(task.weights, labels["counts"], strict=True):
        assert weight * count == pytest.approx(total / 2)
    assert build_workload(tiny_config(path)).objective.weights == (1.0, 1.0)
    several = write_jsonl(tmp_path / "t.jsonl", [("x", ["a"])] * 196 + [("y", ["a", "b"])] * 4)
    settings = {"data__label_separator": ",", "training__class_weights": "balanced"}
    task = build_workload(tiny_config(several, **settings)).objective
    assert task.multiple
    assert task.weights[0] == pytest.approx(0.5)
    assert task.weights[1] == 10  # and no more, however rare


def test_scores_of_several_labels_hold_a_threshold_for_each(tmp_path):
    rows = [
        (f"{'x' if n % 2 else 'y'} z", ["odd"] if n % 2 else ["even", "all"]) for n in range(60)
    ]
    path = write_jsonl(tmp_path / "t.jsonl", rows)
    workload = build_workload(tiny_config(path, data__label_separator=","))
    scores = workload.evaluate(workload.init_params(KEY))
    assert {"threshold.all", "threshold.even", "threshold.odd"} < scores.keys()
    assert scores["error"] == pytest.approx(1 - scores["macro_f1"])
    assert f"macro F1 {scores['macro_f1']:.4f}" in workload.describe(scores)


def test_pre_trained_vectors_are_the_start_and_may_be_frozen(corpus, tmp_path):
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("good 1 2 3\nbad -1 -2 -3\n")
    settings = {"data__word_vectors": str(vectors), "model__embedding_size": 3}
    workload = build_workload(tiny_config(corpus, training__freeze_word_vectors=True, **settings))
    tokens = workload.vocabulary["tokens"]["tokens"]
    embedding = workload.init_params(KEY)["embedding"]
    assert embedding[tokens.index("good")].tolist() == [1, 2, 3]
    assert workload.frozen["embedding"].sum() == 2
    assert any("of the" in note for note in workload.notes)
    with pytest.raises(UserError, match="freeze_word_vectors is set without a file"):
        build_workload(tiny_config(corpus, training__freeze_word_vectors=True))


def test_words_of_the_vectors_that_no_text_has_are_kept_where_asked_for(corpus, tmp_path):
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("superb 1 2 3\ngood 4 5 6\nNever-So 7 8 9\n")
    settings = {"data__word_vectors": str(vectors), "model__embedding_size": 3}
    kept = build_workload(tiny_config(corpus, data__keep_word_vectors=True, **settings))
    tokens = kept.vocabulary["tokens"]["tokens"]
    before = build_workload(tiny_config(corpus, **settings)).vocabulary["tokens"]["tokens"]
    assert tokens == [*before, "superb"]
    assert kept.init_params(KEY)["embedding"][-1].tolist() == [1, 2, 3]
    with pytest.raises(UserError, match="keep_word_vectors is set with word_vectors ''"):
        build_workload(tiny_config(corpus, data__keep_word_vectors=True))


def test_empty_texts_are_counted_and_a_table_of_them_is_refused(tmp_path):
    rows = [("" if one % 4 == 0 else "a text", "ab"[one % 2]) for one in range(40)]
    workload = build_workload(tiny_config(write_csv(tmp_path / "t.csv", rows, ("text", "label"))))
    [note] = [note for note in workload.notes if "are empty" in note]
    assert re.fullmatch(r"\d+ of 32 training texts are empty", note)
    empty = write_csv(tmp_path / "e.csv", [("", label) for _, label in rows], ("text", "label"))
    with pytest.raises(UserError, match=r"all 32 training texts are empty; use data.text_column="):
        build_workload(tiny_config(empty))


def test_a_script_without_blanks_is_advised_to_use_characters(tmp_path):
    draw = np.random.default_rng(0)
    texts = ["".join(chr(0x4E00 + one) for one in draw.integers(0, 30, 9)) for _ in range(40)]
    rows = [(text, "ab"[one % 2]) for one, text in enumerate(texts)]
    path = write_csv(tmp_path / "t.csv", rows, ("text", "label"))
    config = {"data__vocabulary": "lowercase_word", "data__min_count": 1}
    notes = build_workload(tiny_config(path, **config)).notes
    assert any(
        note.startswith("100% of the words") and note.endswith("use data.vocabulary=character")
        for note in notes
    )
    characters = config | {"data__vocabulary": "character"}
    assert not build_workload(tiny_config(path, **characters)).notes
    strange = [(f"new{one} word{one}", "ab"[one % 2]) for one in range(40)]  # it has blanks
    path = write_csv(tmp_path / "s.csv", strange, ("text", "label"))
    assert not build_workload(tiny_config(path, **config)).notes


def test_a_label_that_training_lacks_is_told(tmp_path):
    write_csv(tmp_path / "train.csv", labeled_texts(30), ("text", "label"))
    write_csv(tmp_path / "dev.csv", [("x", "odd")], ("text", "label"))
    write_csv(tmp_path / "test.csv", [("x", "good")], ("text", "label"))
    with pytest.raises(
        UserError, match="label 'odd' does not occur in training; use one of bad, good"
    ):
        build_workload(tiny_config(tmp_path / "train.csv", data__directory=str(tmp_path)))
