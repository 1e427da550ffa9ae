"""The answers of the models to checked requests, as plain JSON; they run in a thread of `Turns`."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from zoo.data.found_words import word_finder
from zoo.data.tag_schemes import PLAIN, Span, spans
from zoo.data.vocabulary import encode_lines
from zoo.decoding.drawn_tokens import stream_tokens
from zoo.decoding.settings import GenerationSettings
from zoo.decoding.text import unknown_parts
from zoo.decoding.translation import TrainedTranslator, translate
from zoo.diagnostics.figures import gradient_figure
from zoo.diagnostics.gradient_flow import cut_rows, gradient_flow, require_recurrent
from zoo.errors import UserError
from zoo.evaluation.classifying import TrainedClassifier, classify
from zoo.evaluation.tagger import TrainedTagger, tag
from zoo.models.trained import require
from zoo.report.charts import Series, line_chart
from zoo.serve.models import ServedModels
from zoo.types import Json


def generated(
    models: ServedModels, weights: Mapping[str, float], prompt: str, settings: GenerationSettings
) -> Iterator[Json]:
    """Yields a text token by token.

    The first record names the models and the unknown parts of the prompt. Then each token has a
    record. The last record holds the number of tokens.

    Args:
        models: the served models.
        weights: the weight of each model by its name; 1 for a single model.
        prompt: the beginning of the text.
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
    """Returns the labels, the most probable label first, and the tokens with their weights."""
    checkpoint = require(models.load(name), TrainedClassifier)
    (found,) = classify(checkpoint, text)
    ordered = sorted(found.probabilities.items(), key=lambda pair: -pair[1])
    labels = _named(ordered, "label", "probability")
    return {
        "labels": [one | {"chosen": one["label"] in found.labels} for one in labels],
        "tokens": _named(zip(found.tokens, found.weights, strict=True), "token", "weight"),
        "unknown": unknown_parts(checkpoint.vocabulary, text),
    }


def tagged(models: ServedModels, name: str, text: str) -> Json:
    """Returns the tokens with their tags, and the marks: the spans, or each token of plain tags."""
    checkpoint = require(models.load(name), TrainedTagger)
    (found,) = tag(checkpoint, text)
    tokens: list[Json] = []
    end = 0
    words = word_finder(checkpoint.corpus)(text)
    for word, own, probability in zip(words, found.tags, found.probabilities, strict=True):
        before, end = text[end : word.start], word.end
        tokens.append(
            {"before": before, "token": word.text, "tag": own, "probability": probability}
        )
    marks = spans(found.tags, checkpoint.scheme)
    if checkpoint.scheme == PLAIN:
        marks = [Span(number, number + 1, own) for number, own in enumerate(found.tags)]
    known = checkpoint.known_words([found.tokens]) if found.tokens else set()
    return {
        "tokens": tokens,
        "rest": text[end:],
        "marks": [mark._asdict() for mark in marks],
        "unknown": [word for word in dict.fromkeys(found.tokens) if word not in known],
    }


def translated(
    models: ServedModels, name: str, text: str, *, beam_size: int, length_penalty: float
) -> Json:
    """Returns the best translation with its attention, and all hypotheses of the beam."""
    checkpoint = require(models.load(name), TrainedTranslator)
    (found,) = translate(
        checkpoint,
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
        "unknown": unknown_parts(
            checkpoint.source_vocabulary, text.lower() if checkpoint.lowercase else text
        ),
    }


def gradients(models: ServedModels, name: str, text: str, *, steps: int) -> Json:
    """Returns the chart of the gradient through time on a text, and the names of its curves.

    Raises:
        UserError: The model is not recurrent, the text is too short, or the gradient is not finite
            or is 0 everywhere.
    """
    checkpoint = models.load(name)
    model = require_recurrent(checkpoint.model, name)
    rows = cut_rows(encode_lines(checkpoint.vocabulary, text.split("\n")), steps)
    flow = gradient_flow(model, checkpoint.params, rows)
    figure = gradient_figure(flow)
    series = [Series(**one) for one in figure["series"]]
    if not series or not all(np.isfinite(one.y).all() for one in series):
        raise UserError("the gradient is 0 or not finite at every step; give another text")
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
    """Returns pairs as records with names for the two values."""
    return [{first: one, second: two} for one, two in pairs]
