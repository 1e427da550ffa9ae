"""Our side of benchmarks/use.py: the released models through the public functions of zoo."""

import argparse
import json
import math
import sys
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import Any

MODEL_OF_USE = {
    "classify": "python_docs_topics",
    "score": "python_docs_lstm",
    "greedy": "toy_german_attention",
    "beam": "toy_german_attention",
    "generate": "python_docs_lstm",
}
BEAM_SIZE = {"greedy": 1, "beam": 5}
_SEED = 1  # of the German sentences, and of the samples


def prepare(use: str, directory: Path, count: int, max_tokens: int) -> None:
    """Writes the files that both sides read: USE.json with the texts, USE.safetensors the model.

    Args:
        use: a key of MODEL_OF_USE.
        directory: the directory of the files.
        count: the number of texts.
        max_tokens: the number of tokens of each sample.
    """
    from zoo.commands import export
    from zoo.data.lowercase_words import PLAIN_WORD

    file = str(directory / f"{use}.safetensors")
    export.run(argparse.Namespace(checkpoint=MODEL_OF_USE[use], file=file))
    record = {
        "texts": _texts(use, count),
        "max_tokens": max_tokens,
        "beam_size": BEAM_SIZE.get(use),
        "word": PLAIN_WORD.pattern,  # how the classifier's vocabulary splits a text
    }
    (directory / f"{use}.json").write_text(json.dumps(record), encoding="utf-8")


def _texts(use: str, count: int) -> list[str]:
    """Returns texts that this project makes: German sentences, or sentences inside Python."""
    if use == "generate":
        return [""] * count
    if use in BEAM_SIZE:
        from zoo.data.toy_german import generate_pairs

        return [pair.source for pair in generate_pairs("german", count, _SEED)]
    from zoo.data.corpora.python_docs import manual
    from zoo.data.corpora.python_docs_topics import labeled_sentences

    sentences = [text for text, _ in labeled_sentences(manual("python_docs_topics"))]
    return list(islice(cycle(sentences), count))


def build(use: str, directory: Path) -> tuple[list[str], Callable[[list[str]], Any]]:
    """Returns the texts, and the call that a user makes with them, on a loaded model."""
    import zoo
    from zoo.evaluation.line_scores import line_scores
    from zoo.kept import keep_compiled_programs

    keep_compiled_programs()  # as every command does
    given = json.loads((directory / f"{use}.json").read_text(encoding="utf-8"))
    model = zoo.load(MODEL_OF_USE[use])
    calls: dict[str, Callable[[list[str]], Any]] = {
        "classify": lambda texts: zoo.classify(model, texts),
        "score": lambda texts: line_scores(model, texts, mode="sentence"),
        "generate": lambda texts: zoo.generate(
            model, texts, max_tokens=given["max_tokens"], stop="length", seed=_SEED
        ),
    }
    for name, beam_size in BEAM_SIZE.items():
        calls[name] = lambda texts, size=beam_size: zoo.translate(model, texts, beam_size=size)  # type: ignore[misc]
    return given["texts"], calls[use]


def answers(use: str, directory: Path, found: Any) -> Any:
    """Returns the results of a call in the form in which the sides are compared, as plain JSON."""
    if use == "classify":
        return [[one.labels[0], list(one.probabilities.values())] for one in found]
    if use == "score":
        return [score.nats for score in found]
    if use in BEAM_SIZE:
        return [one.text for one in found]
    import zoo

    given = json.loads((directory / f"{use}.json").read_text(encoding="utf-8"))
    size, model = given["max_tokens"], zoo.load(MODEL_OF_USE[use])
    likeliest = zoo.generate(model, max_tokens=size, stop="length", temperature=0.0)
    read = [zoo.surprisal(model, text, mode="stream").bits[:size] for text in found]
    return {"likeliest": likeliest, "nats": [math.log(2) * float(bits.mean()) for bits in read]}


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    prepare(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    print("{}")
