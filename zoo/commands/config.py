"""`python -m zoo config`: the fields of a config, with their values and a line on each."""

import argparse

SUMMARY = "list the fields of a config with their values and what they do"
EXAMPLES = """\
examples:
  python -m zoo config python_docs_lstm
  python -m zoo config csv_classifier
  python -m zoo config runs/demo

CONFIG is the name of a file in configs/, a file of your own with a function get_config, or a run or
a released checkpoint, for the config that it was trained with. Each field is printed as the flag
that sets it: python -m zoo train CONFIG --workdir=DIR --SECTION.FIELD=VALUE.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    parser.add_argument("config", metavar="CONFIG", help="a name or a file")


def run(arguments: argparse.Namespace) -> None:
    """Prints the fields.

    Raises:
        UserError: if there is no such config, or its file fails.
    """
    import zoo
    from zoo.training.config_fields import describe_fields

    print(describe_fields(zoo.config(arguments.config)))
