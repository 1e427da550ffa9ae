"""What the models say to a request that was checked, as plain JSON; for the thread of `Turns`."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from zoo.data.tag_schemes import PLAIN, Span, spans
from zoo.data.vocabulary import encode_lines
from zoo.decoding.drawn_tokens import stream_tokens
from zoo.decoding.settings import GenerationSettings
from zoo.decoding.text import unknown_parts
from zoo.decoding.translation import translate
from zoo.diagnostics.figures import gradient_figure
from zoo.diagnostics.gradient_flow import cut_rows, gradient_flow, require_recurrent
from zoo.errors import UserError
from zoo.evaluation.classifying import classify
from zoo.evaluation.tagger import TrainedTagger, tag
from zoo.models.trained import require
from zoo.report.charts import Series, line_chart
from zoo.serve.models import ServedModels
from zoo.types import Json


def generated(
    models: ServedModels, weights: Mapping[str, float], prompt: str, settings: GenerationSettings
) -> Iterator[Json]:
    """Lines: the models and what they don't know of the prompt, each token, the end.

    Args:
        models: what is served.
        weights: of each model by its name; of a single model 1.
        prompt: how the text begins.
        settings: how tokens are drawn.
    """
    names = list(weights)
    checkpoint = models.load(names[0]) if len(names) == 1 else models.load_mixture(weights)
    yield {"models": names, "unknown": unknown_parts(checkpoint.vocabulary, prompt)}
    num_tokens = 0
    for drawn in stream_tokens(checkpoint, prompt, settings):
        num_tokens += 1
        record: Json = {
            "text": drawn.text,
            "token": drawn.token,
            "probability": drawn.probability,
            "runners_up": _named(drawn.runners_up, "token", "probability"),
        }
        if drawn.parts:
            record |= {"parts": drawn.parts, "winner": int(np.argmax(drawn.parts))}
        yield record
    yield {"num_tokens": num_tokens}


def classified(models: ServedModels, name: str, text: str) -> Json:
    """The labels, the most probable first, and the tokens with their weights."""
    (found,) = classify(models.load(name), text)
    ordered = sorted(found.probabilities.items(), key=lambda pair: -pair[1])
    labels = _named(ordered, "label", "probability")
    return {
        "labels": [one | {"chosen": one["label"] in found.labels} for one in labels],
        "tokens": _named(zip(found.tokens, found.weights, strict=True), "token", "weight"),
    }


def tagged(models: ServedModels, name: str, text: str) -> Json:
    """The tokens with their tags, and what is to be marked: spans, or each token of plain tags."""
    checkpoint = require(models.load(name), TrainedTagger)
    (found,) = tag(checkpoint, text)
    tokens: list[Json] = []
    end = 0
    for token, own, probability in zip(found.tokens, found.tags, found.probabilities, strict=True):
        start = text.index(token, end)
        before, end = text[end:start], start + len(token)
        tokens.append({"before": before, "token": token, "tag": own, "probability": probability})
    marks = spans(found.tags, checkpoint.scheme)
    if checkpoint.scheme == PLAIN:
        marks = [Span(number, number + 1, own) for number, own in enumerate(found.tags)]
    return {"tokens": tokens, "rest": text[end:], "marks": [mark._asdict() for mark in marks]}


def translated(
    models: ServedModels, name: str, text: str, *, beam_size: int, length_penalty: float
) -> Json:
    """The best translation with its attention, and all that the beam held."""
    (found,) = translate(
        models.load(name),
        text,
        beam_size=beam_size,
        length_penalty=length_penalty,
        n_best=beam_size,
    )
    best = [(found.text, found.score), *found.others]
    return {
        "text": found.text,
        "source_tokens": found.source_tokens,
        "tokens": found.tokens,
        "attention": None if found.attention is None else found.attention.tolist(),
        "beam": _named(best, "text", "score"),
        "is_cut": found.is_cut,
    }


def gradients(models: ServedModels, name: str, text: str, *, steps: int) -> Json:
    """The chart of the gradient through time on a text, as SVG, and the names of its curves.

    Raises:
        UserError: the model is not recurrent, the text is too short, or the gradient is no number
            or 0 everywhere.
    """
    checkpoint = models.load(name)
    model = require_recurrent(checkpoint.model, name)
    rows = cut_rows(encode_lines(checkpoint.vocabulary, text.split("\n")), steps)
    flow = gradient_flow(model, checkpoint.params, rows)
    figure = gradient_figure(flow)
    series = [Series(**one) for one in figure["series"]]
    if not series or not all(np.isfinite(one.y).all() for one in series):
        raise UserError("the gradient is 0 or no number at every step; give another text")
    chart = line_chart(
        series, figure["x_label"], figure["y_label"], logarithmic=figure["logarithmic"]
    )
    return {
        "title": figure["title"],
        "svg": chart.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1),
        "curves": [one.name for one in series],
        "reach": flow.reach,
        "num_rows": len(rows),
    }


def _named(pairs: Iterable[tuple[object, object]], first: str, second: str) -> list[Json]:
    """Pairs as records with names for the two."""
    return [{first: one, second: two} for one, two in pairs]
