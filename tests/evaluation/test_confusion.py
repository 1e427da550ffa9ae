"""Confusion matrices of readable size, and the pairs of labels that were confused most often."""

import numpy as np
import pytest

from zoo.data.labels import make_labels
from zoo.diagnostics.classification_figures import classification_figures, confusion_figure
from zoo.diagnostics.confusion import draw_confusion
from zoo.evaluation.classification import choose, score_probabilities
from zoo.evaluation.confusion import confused_pairs, shown_confusion

NUM_LABELS, NUM_TEXTS = 150, 900
NAMES = [f"label {number:03d}" for number in range(NUM_LABELS)]
LABELS = make_labels([[name] for name in NAMES])


@pytest.fixture(scope="module")
def drawn():
    """Random probabilities, in which the labels 7 and 8 are confused far more often than others."""
    draw = np.random.default_rng(0)
    truth = np.eye(NUM_LABELS)[draw.integers(NUM_LABELS, size=NUM_TEXTS)]
    truth[:100] = np.eye(NUM_LABELS)[7]
    probabilities = 0.9 * truth + draw.uniform(0, 0.01, truth.shape)
    probabilities[:60, 8] = 2.0
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return probabilities, truth


def test_many_labels_become_the_most_confused_ones_and_the_others(drawn):
    probabilities, truth = drawn
    score = score_probabilities(probabilities, truth, LABELS, np.zeros(NUM_LABELS))
    shown = shown_confusion(NAMES, score.confusion, most=5)
    assert shown.counts.shape == (6, 6)
    assert shown.counts.sum() == NUM_TEXTS
    assert {"label 007", "label 008"} < set(shown.names)
    assert shown.names[-1] == "145 others"
    row, column = shown.names.index("label 007"), shown.names.index("label 008")
    assert shown.counts[row, column] == score.confusion[7, 8] == 60
    outside = [number for number, name in enumerate(NAMES) if name not in shown.names]
    assert shown.counts[-1, -1] == score.confusion[np.ix_(outside, outside)].sum()
    assert shown.counts[row, -1] == score.confusion[7, outside].sum()


def test_the_picture_and_the_figure_of_150_labels_are_small(drawn, tmp_path):
    pytest.importorskip("matplotlib")
    from matplotlib.image import imread

    score = score_probabilities(*drawn, LABELS, np.zeros(NUM_LABELS))
    draw_confusion(tmp_path / "confusion.png", score)
    assert max(imread(tmp_path / "confusion.png").shape) < 2800
    assert len(confusion_figure(score)["rows"]) == 31


def test_pairs_are_counted_as_a_loop_counts_them():
    draw = np.random.default_rng(1)
    truth, chosen = draw.random((2, 40, 5)) < 0.4
    counts = {}
    for right, found in zip(truth, chosen, strict=True):
        for i in range(5):
            for j in range(5):
                if right[i] and not found[i] and found[j] and not right[j]:
                    counts[NAMES[i], NAMES[j]] = counts.get((NAMES[i], NAMES[j]), 0) + 1
    found = confused_pairs(NAMES[:5], truth, chosen)
    assert {(pair.label, pair.chosen): pair.num_texts for pair in found} == counts
    assert [pair.num_texts for pair in found] == sorted(counts.values(), reverse=True)
    assert [pair.support for pair in found] == [
        int(truth[:, NAMES.index(pair.label)].sum()) for pair in found
    ]
    assert confused_pairs(NAMES[:5], truth, chosen, most=2) == found[:2]


@pytest.mark.parametrize("multiple", [False, True])
def test_the_hardest_examples_are_the_wrong_ones_with_the_lowest_probability(multiple):
    labels = make_labels([["no"], ["yes"]], multiple=multiple)
    probabilities = np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    targets = np.eye(2)[[1, 1, 1, 0]]
    thresholds = np.full(2, 0.5)
    score = score_probabilities(probabilities, targets, labels, thresholds)
    texts = ["unsure", "sure", "right", "x" * 1000]
    figures = classification_figures(score, probabilities, targets, labels, thresholds, texts)
    assert [figure["kind"] for figure in figures].count("heat_map") == (not multiple)
    (hardest,) = [figure for figure in figures if "Hardest" in figure["title"]]
    assert [row[0][:6] for row in hardest["rows"]] == ["sure", "xxxxxx", "unsure"]
    assert len(hardest["rows"][1][0]) < 320
    assert hardest["rows"][0][1:3] == ["yes", "no"]
    nats = -np.log(probabilities) * targets
    if multiple:
        nats -= np.log(1 - probabilities) * (1 - targets)
    assert float(hardest["rows"][0][3]) == pytest.approx(np.exp(-nats[1].sum()), rel=0.1)
    chosen = choose(probabilities, labels, thresholds)
    assert (chosen != (targets > 0)).any(axis=1).tolist() == [True, True, False, True]


def test_the_share_of_a_pair_is_that_of_the_texts_of_its_right_label():
    labels = make_labels([["no"], ["yes"]])
    probabilities = np.array([[0.9, 0.1], [0.1, 0.9], [0.1, 0.9], [0.1, 0.9], [0.2, 0.8]])
    targets, zeros = np.eye(2)[[0, 0, 1, 1, 1]], np.zeros(2)
    score = score_probabilities(probabilities, targets, labels, zeros)
    figures = classification_figures(score, probabilities, targets, labels, zeros, ["text"] * 5)
    (pairs,) = [figure for figure in figures if "pairs" in figure["title"]]
    assert pairs["rows"] == [["no", "yes", "1", "50%"]]
