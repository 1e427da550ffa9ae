"""Reads each sentencepiece model in a directory as a checkpoint holds it; prints the faults.

It is a program of its own, since a damaged model might end the process that reads it.
"""

import base64
import sys
from pathlib import Path

from campaign.attempts import fault_of

from zoo.data.vocabulary import vocabulary_from_json


def use(content: bytes) -> None:
    """Makes a vocabulary of a model, and cuts a text by it."""
    model = base64.b64encode(content).decode()
    vocabulary = vocabulary_from_json({"kind": "subword", "model": model})
    ids = vocabulary.encode("a net 日本 reads\x00 a ▁line")
    assert all(0 <= index < len(vocabulary) for index in ids), "an id out of the vocabulary"
    vocabulary.decode(ids)


def main(directory: Path) -> None:
    """Tries the models in the order of their numbers; says first on stderr which one it is."""
    for path in sorted(directory.iterdir(), key=lambda path: int(path.name)):
        content = path.read_bytes()
        print(path.name, content[:80], file=sys.stderr, flush=True)
        fault, _ = fault_of(lambda: use(content))  # noqa: B023
        if fault:
            print(f"{fault}: model {path.name}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
