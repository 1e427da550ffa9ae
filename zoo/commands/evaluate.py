"""`python -m zoo evaluate`: perplexity and bits per character of a language model."""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.data.sources import SPLITS, read_text
from zoo.errors import UserError
from zoo.evaluation.modes import MODES

if TYPE_CHECKING:
    from zoo.hub import Checkpoint

SUMMARY = "measure a language model: perplexity and bits per character"
EXAMPLES = """\
examples:
  python -m zoo evaluate runs/demo --split=test
  python -m zoo evaluate runs/demo --split=test --mode=sentence --json
  python -m zoo evaluate runs/demo --text=notes.txt

Every token is scored, each sentence's end among them, and none twice. CHECKPOINT is a released
name (see `python -m zoo list`), a run's directory, whose best step it then is, or one step's
directory.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a released name or a directory")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--split",
        choices=SPLITS,
        default="validation",
        help="the part of the checkpoint's own corpus to score (default: %(default)s)",
    )
    source.add_argument("--text", metavar="FILE", help="a UTF-8 text file to score instead")
    parser.add_argument(
        "--data_directory",
        metavar="DIR",
        help="where the corpus lies (default: where it lay in training)",
    )
    parser.add_argument(
        "--mode",
        choices=MODES,
        default=MODES[0],
        help="stream: the state is carried over sentences; sentence: it starts anew at each "
        "(default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> None:
    """Scores the text and prints the numbers.

    Raises:
        UserError: the checkpoint, the corpus or the text file is missing or damaged.
    """
    if arguments.text is not None and arguments.data_directory is not None:
        raise UserError("--data_directory is where a --split lies; leave it out with --text")
    import zoo

    text = read_text(Path(arguments.text)) if arguments.text is not None else None
    checkpoint = zoo.load(arguments.checkpoint)
    lines: str | list[str] = (
        corpus_lines(checkpoint, arguments.split, arguments.data_directory)
        if text is None
        else text
    )
    score = zoo.evaluate(checkpoint, lines, mode=arguments.mode)
    source = {"split": arguments.split} if text is None else {"text": arguments.text}
    record = {
        "checkpoint": str(checkpoint.directory),
        "step": checkpoint.step,
        **source,
        "mode": arguments.mode,
        "perplexity": score.perplexity,
        "nats_per_token": score.nats_per_token,
        "bits_per_character": score.bits_per_character,
        "num_tokens": score.num_tokens,
        "num_characters": score.num_characters,
        "num_unknown": score.num_unknown,
    }
    if arguments.json:
        print(json.dumps(record, ensure_ascii=False))
        return
    for name, value in record.items():
        print(f"{name:18}  {value:.4f}" if isinstance(value, float) else f"{name:18}  {value}")


def corpus_lines(checkpoint: "Checkpoint", split: str, directory: str | None) -> list[str]:
    """The lines of a split of the corpus that a checkpoint was trained on.

    Args:
        checkpoint: what `zoo.load` gives.
        split: train, validation or test.
        directory: where the corpus lies; None for where it lay in training.

    Raises:
        UserError: it isn't there, or the checkpoint knows none.
    """
    from zoo.data.corpora import DataConfig, load_corpus

    if "data" not in checkpoint.config:
        raise UserError(f"{checkpoint.name} knows no corpus; give a text with --text=FILE")
    config = DataConfig(**checkpoint.config["data"])
    if directory is not None:
        config = dataclasses.replace(config, directory=directory)
    try:
        return load_corpus(config)[split]
    except UserError as error:  # which names the flags of train.py
        raise UserError(
            str(error).replace("--config.data.directory", "--data_directory")
        ) from error
