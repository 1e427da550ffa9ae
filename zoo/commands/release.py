"""`python -m zoo release`: a trained model as a directory to give to others."""

import argparse
from pathlib import Path

SUMMARY = "copy a checkpoint for others: without optimizer and paths, in half precision if wanted"
EXAMPLES = """\
example:
  python -m zoo release runs/lstm checkpoints/my_lstm --half --card=my_card.json

The card says what the model is, its corpus, its command and its scores: checkpoints/*/card.json are
examples, zoo/cards.py has the fields. card.json and card.md are written beside the weights. A model
in DIR is found by its name where ZOO_CHECKPOINTS names the directory above DIR.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a run's or a step's directory")
    parser.add_argument("directory", metavar="DIR", help="the directory to make")
    parser.add_argument("--half", action="store_true", help="store float32 as float16")
    parser.add_argument("--card", metavar="FILE", help="the card, as JSON")


def run(arguments: argparse.Namespace) -> None:
    """Writes the copy and says how large it is.

    Raises:
        UserError: there is no such checkpoint, the directory is there already, or the card is none.
    """
    import jax

    import zoo
    from zoo.cards import read_card, write_card
    from zoo.training.release import release

    card = None if arguments.card is None else read_card(arguments.card)
    checkpoint = zoo.load(arguments.checkpoint)
    place = release(checkpoint.directory, arguments.directory, half=arguments.half)
    size = sum(path.stat().st_size for path in Path(place).rglob("*") if path.is_file())
    if card is not None:
        num_parameters = sum(leaf.size for leaf in jax.tree.leaves(checkpoint.params))
        write_card(place, card, num_parameters, size)
    print(f"{place}: {size / 1e6:.1f} MB")
