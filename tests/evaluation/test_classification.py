"""Scores of classifiers against plain loops over texts and labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data.labels import Labels, make_labels
from zoo.evaluation.classification import (
    NUM_BINS,
    calibration_error,
    choose,
    choose_thresholds,
    score_probabilities,
)

ONE = Labels(("a", "b", "c"), (5, 3, 2), multiple=False, num_texts=10)
SEVERAL = Labels(("a", "b", "c"), (6, 3, 2), multiple=True, num_texts=10)


def random_case(labels, seed, num_texts=40):
    draw = np.random.default_rng(seed)
    probabilities = draw.dirichlet(np.ones(3), num_texts)
    if labels.multiple:
        return draw.uniform(size=(num_texts, 3)), (draw.uniform(size=(num_texts, 3)) > 0.6) * 1.0
    return probabilities, np.eye(3)[draw.integers(0, 3, num_texts)]


def counts(chosen, truth):
    """True positives, false positives and false negatives of each label, text by text."""
    table = []
    for label in range(3):
        pairs = [(bool(c[label]), bool(t[label])) for c, t in zip(chosen, truth, strict=True)]
        table.append(
            (pairs.count((True, True)), pairs.count((True, False)), pairs.count((False, True)))
        )
    return table


@pytest.mark.parametrize("labels", [ONE, SEVERAL], ids=["one", "several"])
@pytest.mark.parametrize("seed", range(3))
def test_scores_equal_plain_counts(labels, seed):
    probabilities, targets = random_case(labels, seed)
    thresholds = np.array([0.3, 0.5, 0.7])
    score = score_probabilities(probabilities, targets, labels, thresholds)
    if labels.multiple:
        chosen = [[p >= t for p, t in zip(row, thresholds, strict=True)] for row in probabilities]
    else:
        chosen = [[p == max(row) for p in row] for row in probabilities]
    table = counts(chosen, targets > 0)
    for row, (tp, fp, fn) in zip(score.by_label, table, strict=True):
        precision, recall = tp / (tp + fp), tp / (tp + fn)
        assert (row.precision, row.recall) == pytest.approx((precision, recall))
        assert row.f1 == pytest.approx(2 * precision * recall / (precision + recall))
        assert row.support == tp + fn
    assert score.macro_f1 == pytest.approx(np.mean([row.f1 for row in score.by_label]))
    tp, fp, fn = np.sum(table, axis=0)
    assert score.micro_f1 == pytest.approx(2 * tp / (2 * tp + fp + fn))
    right = [list(map(bool, t)) == c for c, t in zip(chosen, targets, strict=True)]
    assert score.accuracy == pytest.approx(np.mean(right))
    assert score.num_examples == len(targets)
    if labels.multiple:
        assert score.confusion is None
        nats = -np.where(targets > 0, np.log(probabilities), np.log(1 - probabilities)).sum(axis=1)
    else:
        assert score.micro_f1 == pytest.approx(score.accuracy)
        nats = [-np.log(row[t.argmax()]) for row, t in zip(probabilities, targets, strict=True)]
        pairs = list(zip(targets.argmax(axis=1), probabilities.argmax(axis=1), strict=True))
        wanted = [[pairs.count((true, got)) for got in range(3)] for true in range(3)]
        assert score.confusion.tolist() == wanted
    assert score.nats_per_text == pytest.approx(np.mean(nats))


def test_the_majority_is_that_of_training():
    probabilities, targets = random_case(ONE, 0)
    score = score_probabilities(probabilities, targets, ONE, np.zeros(3))
    assert score.majority_accuracy == pytest.approx(targets[:, 0].mean())
    probabilities, targets = random_case(SEVERAL, 0)
    score = score_probabilities(probabilities, targets, SEVERAL, np.full(3, 0.5))
    assert score.majority_accuracy == pytest.approx((targets == [1, 0, 0]).all(axis=1).mean())


def test_a_label_that_neither_occurs_nor_is_chosen_does_not_count_in_macro_f1():
    probabilities = np.array([[0.8, 0.1, 0.1], [0.3, 0.6, 0.1]])
    score = score_probabilities(probabilities, np.eye(3)[:2], ONE, np.zeros(3))
    assert score.macro_f1 == score.accuracy == 1
    assert score.by_label[2].f1 == 0


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_no_threshold_has_a_higher_f1(seed, num_texts):
    draw = np.random.default_rng(seed)
    probabilities = draw.integers(1, 9, (num_texts, 1)) / 10  # with ties
    targets = (draw.uniform(size=(num_texts, 1)) > 0.5) * 1.0

    def f1(threshold):
        chosen = probabilities >= threshold
        return 2 * (chosen * targets).sum() / (chosen.sum() + targets.sum())

    threshold = choose_thresholds(probabilities, targets)[0]
    if not targets.any():
        assert threshold == 0.5
        return
    assert f1(threshold) == max(f1(other) for other in np.arange(0, 1, 0.05))


def test_calibration_error_equals_a_loop_over_bins():
    draw = np.random.default_rng(0)
    confidences = np.append(draw.uniform(size=200), [0.0, 1.0])
    right = draw.uniform(size=202) < confidences**2
    total = 0.0
    for number in range(NUM_BINS):
        low, high = number / NUM_BINS, (number + 1) / NUM_BINS
        inside = (confidences >= low) & ((confidences < high) | (number == NUM_BINS - 1))
        if inside.any():
            gap = abs(right[inside].mean() - confidences[inside].mean())
            total += inside.sum() / len(right) * gap
    assert calibration_error(confidences, right) == pytest.approx(total)


def test_of_one_label_the_most_probable_is_chosen_whatever_the_thresholds():
    chosen = choose(np.array([[0.2, 0.5, 0.3]]), make_labels([["a"], ["b"], ["c"]]), np.ones(3))
    assert chosen.tolist() == [[False, True, False]]


def test_a_probability_that_equals_its_threshold_reaches_it():
    chosen = choose(np.array([[0.5, 0.4, 0.6]]), SEVERAL, np.full(3, 0.5))
    assert chosen.tolist() == [[True, False, True]]


def test_a_hopeless_label_costs_all_its_nats():
    probabilities = np.array([[1.0, 1e-30, 0.0]], np.float32)
    score = score_probabilities(probabilities, np.array([[0, 1, 0]]), ONE, np.zeros(3))
    assert score.nats_per_text == pytest.approx(30 * np.log(10))


def test_full_confidence_is_in_the_last_bin_and_not_in_one_of_its_own():
    error = calibration_error(np.array([0.95, 1.0]), np.array([True, False]))
    assert error == pytest.approx(0.95 / 2)
