"""Tuning the settings of dynamic evaluation and of the cache on validation text."""

import dataclasses
from collections.abc import Callable, Sequence

from zoo.data.batching import shift_targets
from zoo.data.vocabulary import encode_lines
from zoo.evaluation.adaptive import AdaptiveCheckpoint, Scores, adaptive_scores
from zoo.evaluation.dynamic_evaluation import DynamicEvaluation
from zoo.evaluation.modes import Mode
from zoo.evaluation.neural_cache import NeuralCache, mix_in
from zoo.evaluation.perplexity import text_lines
from zoo.types import Json

MOST_TOKENS = 10_000  # the most tokens of the text that is used for tuning
_FACTOR = 2.0  # between two values of a setting that are tried
_LEAST_GAIN_NATS = 5e-4  # per token; after a smaller gain the search stops
_FLATNESS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0)
_WEIGHTS = (0.02, 0.05, 0.075, 0.1, 0.125, 0.15, 0.175, 0.2, 0.25, 0.3, 0.4)


def tune(
    checkpoint: AdaptiveCheckpoint,
    text: str | Sequence[str],
    *,
    mode: Mode = "stream",
    log: Callable[[str], None] = lambda line: None,
) -> AdaptiveCheckpoint:
    """Returns the same model with the settings that suit a text best.

    The rate of dynamic evaluation is doubled or halved as long as the loss falls, and then its
    decay. The cache's theta and lambda are the best of a grid. All tuning uses the first 10,000
    tokens.

    Args:
        checkpoint: a model from `zoo.evaluation.adaptive.adapt`; its settings are the start.
        text: validation text, or its lines.
        mode: as in `zoo.evaluate`.
        log: a function that receives a line for each setting that is tried.
    """
    tokens = encode_lines(checkpoint.vocabulary, text_lines(text))[:MOST_TOKENS]
    inputs = shift_targets(tokens)
    model, params = checkpoint.model, checkpoint.params
    flatness = _FLATNESS if model.cache else ()

    def score(dynamic: DynamicEvaluation | None) -> Scores:
        adaptive = dataclasses.replace(model, dynamic=dynamic)
        return adaptive_scores(adaptive, params, inputs, tokens, mode=mode, flatness=flatness)

    dynamic, scores = model.dynamic, None
    if dynamic is not None:
        dynamic, scores = _climb(dynamic, "rate", score, log)
    if dynamic is not None and dynamic.decay:
        dynamic, scores = _climb(dynamic, "decay", score, log)
    cache = model.cache
    if cache is not None:
        cache = _best_cache(cache, scores or score(dynamic), log)
    return dataclasses.replace(
        checkpoint, model=dataclasses.replace(model, dynamic=dynamic, cache=cache)
    )


def _climb(
    settings: DynamicEvaluation,
    field: str,
    score: Callable[[DynamicEvaluation], Scores],
    log: Callable[[str], None],
) -> tuple[DynamicEvaluation, Scores]:
    """Returns the best value of one setting, tried upwards first, and the scores with it."""

    def measure(value: float) -> tuple[float, DynamicEvaluation, Scores]:
        tried = replace_setting(settings, field, value)
        scores = score(tried)
        nats = -float(scores.model.mean())
        log(f"dynamic {field} {value:g}: {nats:.4f} nats per token")
        return nats, tried, scores

    best = measure(getattr(settings, field))
    for factor in (_FACTOR, 1 / _FACTOR):
        moved = False
        while (value := getattr(best[1], field) * factor) <= 1 or field == "rate":
            other = measure(value)
            if other[0] < best[0]:
                gain, best, moved = best[0] - other[0], other, True
            if not moved or other is not best or gain < _LEAST_GAIN_NATS:
                break
        if moved:
            break
    return best[1], best[2]


def replace_setting(settings: DynamicEvaluation, field: str, value: float) -> DynamicEvaluation:
    """Returns the settings with one value replaced."""
    changes: Json = {field: value}
    return dataclasses.replace(settings, **changes)


def _best_cache(cache: NeuralCache, scores: Scores, log: Callable[[str], None]) -> NeuralCache:
    """Returns the cache with the theta and lambda of the grid that give the lowest loss."""
    found: list[tuple[float, float, float]] = []
    for row, flatness in enumerate(_FLATNESS):
        for weight in _WEIGHTS:
            nats = -float(mix_in(scores.model, scores.cache[row], weight).mean())
            found.append((nats, flatness, weight))
    nats, flatness, weight = min(found)
    log(f"cache flatness {flatness:g}, weight {weight:g}: {nats:.4f} nats per token")
    return dataclasses.replace(cache, flatness=flatness, weight=weight)
