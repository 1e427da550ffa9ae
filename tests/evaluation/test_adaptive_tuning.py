"""Tuning what adapts: the settings are better than what is near them, and the search is short."""

import dataclasses
import math
import re

import numpy as np
import pytest
from tiny_adaptive import CACHE, LINES, MODES, RMS, SGD, TOKENS, adapted, score

from zoo.errors import UserError
from zoo.evaluation import adaptive_tuning
from zoo.evaluation.adaptive import Scores
from zoo.evaluation.adaptive_tuning import tune
from zoo.evaluation.neural_cache import NeuralCache

REPEATED_LINES = LINES * 6  # what has been read helps with what comes
REPEATED = np.tile(TOKENS, 6)  # its tokens
LEAST_GAIN = 5e-4  # nats per token; a step that gains less is the last


def nats_of(line, start):
    """The nats that a line of the log tells, with four digits."""
    found = re.fullmatch(rf"{re.escape(start)}: (\d+\.\d{{4}}) nats per token", line)
    assert found, line
    return float(found[1])


def nats_a_token(dynamic, cache=None, tokens=REPEATED):
    return -score(adapted(dynamic=dynamic, cache=cache), tokens).mean()


@pytest.mark.parametrize(
    "start",
    [
        dataclasses.replace(SGD, rate=0.002, decay=0.5),  # far too careful
        dataclasses.replace(SGD, rate=0.9, decay=0.9),  # pulled back too much
        dataclasses.replace(RMS, rate=0.001, decay=0.1),
        dataclasses.replace(RMS, rate=0.9, decay=0.1),  # so fast that it does harm
    ],
)
def test_tuned_settings_are_better_than_their_start_and_their_neighbours(start):
    lines = []
    tuned = tune(adapted(dynamic=start, cache=CACHE), REPEATED_LINES, log=lines.append).model
    assert nats_a_token(tuned.dynamic) < nats_a_token(start) - 0.01
    assert nats_a_token(tuned.dynamic, tuned.cache) <= nats_a_token(start, CACHE)
    for decay in (tuned.dynamic.decay / 2, tuned.dynamic.decay * 2):
        if decay <= 1:
            near = dataclasses.replace(tuned.dynamic, decay=decay)
            assert nats_a_token(near) >= nats_a_token(tuned.dynamic) - LEAST_GAIN
    fixed = ("rule", "window", "epsilon")
    assert [getattr(tuned.dynamic, name) for name in fixed] == [
        getattr(start, name) for name in fixed
    ]
    assert tuned.cache.size == CACHE.size
    assert nats_of(lines[0], f"dynamic rate {start.rate:g}") == pytest.approx(
        nats_a_token(start), abs=1e-4
    )
    chosen = f"cache flatness {tuned.cache.flatness:g}, weight {tuned.cache.weight:g}"
    assert nats_of(lines[-1], chosen) == pytest.approx(
        nats_a_token(tuned.dynamic, tuned.cache), abs=1e-4
    )


@pytest.mark.parametrize("rate", [0.003, 4.0])
def test_the_tuned_rate_is_the_best_of_its_doublings(rate):
    start = dataclasses.replace(RMS, rate=rate, decay=0.0)  # twice no decay is none
    tuned = tune(adapted(dynamic=start), REPEATED_LINES).model.dynamic
    assert tuned.decay == 0
    doublings = math.log2(tuned.rate / rate)
    assert doublings == pytest.approx(round(doublings))
    assert doublings > 0 if rate < 0.1 else doublings < 0
    best = nats_a_token(tuned)
    for other in (tuned.rate / 2, tuned.rate * 2):
        assert best < nats_a_token(dataclasses.replace(start, rate=other))


def test_the_tuned_cache_is_the_best_of_the_grid():
    checkpoint = adapted(cache=CACHE)
    tuned = tune(checkpoint, REPEATED_LINES)
    assert tuned.model.dynamic is None
    best = -score(tuned, REPEATED).mean()
    for flatness in (0.0, 0.1, 0.3, 1.0):
        for weight in (0.02, 0.1, 0.2, 0.4):
            other = NeuralCache(size=CACHE.size, weight=weight, flatness=flatness)
            assert best <= -score(adapted(cache=other), REPEATED).mean() + 1e-6


def test_no_more_than_the_first_tokens_are_tuned_on(monkeypatch):
    checkpoint, short, cut = adapted(dynamic=SGD, cache=CACHE), [], []
    lines = LINES * 2 + LINES[:1]
    expected = tune(checkpoint, lines, log=short.append).model
    num_tokens = 2 * len(TOKENS) + LINES[0].count(" ") + 2
    monkeypatch.setattr(adaptive_tuning, "MOST_TOKENS", num_tokens)
    assert tune(checkpoint, REPEATED_LINES, log=cut.append).model == expected
    assert cut == short, "the nats are those of another text"
    monkeypatch.setattr(adaptive_tuning, "MOST_TOKENS", num_tokens - 2)  # amid a sentence
    tune(checkpoint, REPEATED_LINES, log=cut.append)
    first = nats_of(cut[len(short)], f"dynamic rate {SGD.rate:g}")
    nats = nats_a_token(SGD, tokens=REPEATED[: num_tokens - 2])
    assert first == pytest.approx(nats, abs=1e-4)


def test_a_string_is_tuned_on_as_its_lines_are():
    checkpoint, said = adapted(dynamic=SGD, cache=CACHE), {}
    for name, text in (("lines", LINES * 2), ("string", "\n".join(LINES * 2) + "\n")):
        said[name] = []
        tune(checkpoint, text, log=said[name].append)
    assert said["lines"] == said["string"]
    with pytest.raises(UserError, match="the text is empty; give"):
        tune(checkpoint, "")


def test_tuning_in_a_mode_scores_in_that_mode():
    lines = {}
    for mode in MODES:
        said = []
        tune(adapted(dynamic=SGD), REPEATED_LINES, mode=mode, log=said.append)
        nats = -score(adapted(dynamic=SGD), REPEATED, mode).mean()
        first = nats_of(said[0], f"dynamic rate {SGD.rate:g}")
        assert first == pytest.approx(nats, abs=1e-4)
        lines[mode] = said
    assert lines["stream"] != lines["sentence"]


def tried_and_chosen(monkeypatch, field, start, nats):
    """The values of a setting that are tried, where the nats are what a function says of it."""
    tried = []

    def scores(adaptive, params, inputs, targets, **options):
        value = getattr(adaptive.dynamic, field)
        other = {"rate": "decay", "decay": "rate"}[field]
        if getattr(adaptive.dynamic, other) == getattr(start, other):
            tried.append(value)
            return Scores(np.full(len(targets), -nats(value)), np.zeros((0, len(targets))))
        return Scores(np.full(len(targets), -1e3), np.zeros((0, len(targets))))

    monkeypatch.setattr(adaptive_tuning, "adaptive_scores", scores)
    return tried, getattr(tune(adapted(dynamic=start), LINES).model.dynamic, field)


@pytest.mark.parametrize(
    ("start", "nats", "tried", "chosen"),
    [
        (0.1, {0.1: 3, 0.2: 2.5, 0.4: 2.4, 0.8: 2.6}, [0.1, 0.2, 0.4, 0.8], 0.4),
        (0.1, {0.1: 3, 0.2: 3.1, 0.05: 2, 0.025: 2.1}, [0.1, 0.2, 0.05, 0.025], 0.05),
        (0.1, {0.1: 3, 0.2: 3.1, 0.05: 3.1}, [0.1, 0.2, 0.05], 0.1),
        (0.1, {0.1: 3, 0.2: 3, 0.05: 3}, [0.1, 0.2, 0.05], 0.1),  # as good is not better
        # What gains less than 5e-4 nats is taken, and is the last, in either direction.
        (0.1, {0.1: 3, 0.2: 2.9996}, [0.1, 0.2], 0.2),
        (0.1, {0.1: 3, 0.2: 2.9994, 0.4: 2.9990}, [0.1, 0.2, 0.4], 0.4),
        (0.1, {0.1: 3, 0.2: 3.1, 0.05: 2.9996}, [0.1, 0.2, 0.05], 0.05),
        (0.1, {0.1: 3, 0.2: 3.1, 0.05: 2.9, 0.025: 2.8996}, [0.1, 0.2, 0.05, 0.025], 0.025),
        # A rate that diverges is no better.
        (0.1, {0.1: 3, 0.2: math.nan, 0.05: 2, 0.025: 2.1}, [0.1, 0.2, 0.05, 0.025], 0.05),
        # A rate may be more than 1.
        (0.8, {0.8: 3, 1.6: 2, 3.2: 1, 6.4: 2}, [0.8, 1.6, 3.2, 6.4], 3.2),
        (4.0, {4.0: 3, 8.0: 4, 2.0: 2, 1.0: 1, 0.5: 2}, [4.0, 8.0, 2.0, 1.0, 0.5], 1.0),
    ],
)
def test_the_rate_climbs_as_long_as_a_step_gains_enough(monkeypatch, start, nats, tried, chosen):
    settings = dataclasses.replace(SGD, rate=start, decay=0.0)
    assert tried_and_chosen(monkeypatch, "rate", settings, nats.get) == (tried, chosen)


@pytest.mark.parametrize(
    ("start", "best", "tried", "chosen"),
    [
        (0.1, 0.2, [0.1, 0.2, 0.4], 0.2),
        (0.6, 9.0, [0.6, 0.3], 0.6),  # 1.2 is none
        (0.6, 0.3, [0.6, 0.3, 0.15], 0.3),
        (0.25, 9.0, [0.25, 0.5, 1.0], 1.0),  # 1 is one
        (1.0, 9.0, [1.0, 0.5], 1.0),
    ],
)
def test_the_decay_climbs_up_to_one(monkeypatch, start, best, tried, chosen):
    settings = dataclasses.replace(SGD, rate=0.1, decay=start)

    def nats(decay):
        return abs(math.log2(decay / best))

    found, decay = tried_and_chosen(monkeypatch, "decay", settings, nats)
    assert found == [start, *tried]  # the rate's climb starts with this decay, too
    assert decay == chosen


def test_no_decay_stays_none():
    start, lines = dataclasses.replace(SGD, decay=0.0), []
    assert tune(adapted(dynamic=start), REPEATED_LINES, log=lines.append).model.dynamic.decay == 0
    assert lines
    assert all(line.startswith("dynamic rate ") for line in lines)
