"""`python -m zoo release`: copies a trained model to a directory that others can use."""

import argparse
from pathlib import Path

SUMMARY = "copy a checkpoint for others, without optimizer and local paths, and smaller if wanted"
EXAMPLES = """\
example:
  python -m zoo release runs/lstm checkpoints/my_lstm --half --card=my_card.json
  python -m zoo release runs/large checkpoints/my_large --int8

Copies with --int8 and --int6 are compressed. On the Penn Treebank, --int8 leaves the perplexity of
a large LSTM as it is. --int6 raises it by 0.07, and the copy is smaller by a third.

The card describes the model, its corpus, its command and its scores. See checkpoints/*/card.json
for examples and zoo/cards.py for the fields. card.json and card.md are written beside the weights.
A model in DIR is found by its name if ZOO_CHECKPOINTS names the directory above DIR.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a run's or a step's directory")
    parser.add_argument("directory", metavar="DIR", help="the directory to create")
    precision = parser.add_mutually_exclusive_group()
    precision.add_argument("--half", action="store_true", help="store 16 bits per weight")
    precision.add_argument(
        "--int8", action="store_true", help="store 8 bits per weight and a scale for each row"
    )
    precision.add_argument(
        "--int6", action="store_true", help="store 6 bits per weight and a scale for each row"
    )
    parser.add_argument("--card", metavar="FILE", help="the card, a JSON file")


def run(arguments: argparse.Namespace) -> None:
    """Writes the copy, and prints its size.

    Raises:
        UserError: if there is no such checkpoint, the directory exists already, or the card is
            invalid.
    """
    import jax

    import zoo
    from zoo.cards import Stored, read_card, write_card
    from zoo.hub import try_while_run_saves
    from zoo.training.release import release

    card = None if arguments.card is None else read_card(arguments.card)
    wanted = {"half": arguments.half, "int8": arguments.int8, "int6": arguments.int6}
    precision = next((name for name, is_wanted in wanted.items() if is_wanted), "float32")

    def write() -> Path:
        checkpoint = zoo.load(arguments.checkpoint)
        num_parameters = sum(leaf.size for leaf in jax.tree.leaves(checkpoint.params))

        def add_card(directory: Path) -> None:
            if card is not None:
                write_card(directory, card, Stored(num_parameters, _size(directory), precision))

        step, target = checkpoint.directory, arguments.directory
        return release(step, target, precision=precision, add=add_card)

    place = try_while_run_saves(arguments.checkpoint, write)
    print(f"{place}: {_size(place) / 1e6:.1f} MB")


def _size(directory: Path) -> int:
    """Returns the size of all files below a directory in bytes."""
    return sum(path.stat().st_size for path in Path(directory).rglob("*") if path.is_file())
