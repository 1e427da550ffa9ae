"""Alignments read off attention, and the error rate against a count by hand."""

import numpy as np
import pytest

from zoo.evaluation.alignment import alignment_error_rate, links_of
from zoo.evaluation.bleu import score_texts


def test_links_are_the_largest_weights_but_not_of_the_ends():
    weights = np.random.default_rng(0).dirichlet(np.ones(6), size=5)
    links = links_of(weights)
    for target in range(4):
        best = max(range(6), key=lambda source: weights[target, source])
        assert ((best, target) in links) == (best != 5)
    assert all(target < 4 for _, target in links)


def test_error_rate():
    gold = [[(0, 0), (1, 1), (2, 1)], [(0, 1)]]
    found = [[(0, 0), (2, 1)], [(1, 1), (0, 0)]]
    # Two of found's four are right, gold has four: 1 - 2 * 2 / 8.
    assert alignment_error_rate(found, gold) == pytest.approx(0.5)
    assert alignment_error_rate(gold, gold) == 0
    assert alignment_error_rate([[(3, 3)]], [[(0, 0)]]) == 1
    assert alignment_error_rate([[]], [[]]) == 0
    assert alignment_error_rate([[(0, 0)]], [[(0, 0), (0, 0)]]) == 0  # a link counts once


def test_bleu_of_a_count_by_hand():
    # 4-gram precisions 5/6, 4/5, 3/4, 2/3 and no brevity penalty.
    scores = score_texts(["the cat sat on the mat"], ["the cat sat on the rug"])
    wanted = 100 * (5 / 6 * 4 / 5 * 3 / 4 * 2 / 3) ** 0.25
    assert scores.bleu == pytest.approx(wanted)
    assert scores.signature.startswith("nrefs:1|case:mixed")
