"""`python -m zoo release`: a trained model as a directory to give to others."""

import argparse
from pathlib import Path

SUMMARY = "copy a checkpoint for others: without optimizer and paths, in half precision if wanted"
EXAMPLES = """\
example:
  python -m zoo release runs/lstm checkpoints/my_lstm --half

Write a card.md into the new directory: what it is, its corpus, its command, its scores. Directories
beside it are found by name where ZOO_CHECKPOINTS names the directory above them.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a run's or a step's directory")
    parser.add_argument("directory", metavar="DIR", help="the directory to make")
    parser.add_argument("--half", action="store_true", help="store float32 as float16")


def run(arguments: argparse.Namespace) -> None:
    """Writes the copy and says how large it is.

    Raises:
        UserError: there is no such checkpoint, or the directory is there already.
    """
    import zoo
    from zoo.training.release import release

    checkpoint = zoo.load(arguments.checkpoint)
    place = release(checkpoint.directory, arguments.directory, half=arguments.half)
    size = sum(path.stat().st_size for path in Path(place).rglob("*") if path.is_file())
    print(f"{place}: {size / 1e6:.1f} MB")
