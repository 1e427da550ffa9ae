"""`python -m zoo list`: architectures, released checkpoints, configs and corpora by name."""

import argparse

SUMMARY = "list architectures, released checkpoints, configs and corpora"
EXAMPLES = """\
example:
  python -m zoo list
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds no arguments, since this command has none."""


def run(arguments: argparse.Namespace) -> None:
    """Prints the names, each on a line with its summary."""
    from zoo.data.corpora import find_corpus, list_corpora
    from zoo.data.examples import KINDS
    from zoo.hub import list_checkpoints
    from zoo.models.registry import ARCHITECTURES
    from zoo.training.config_names import config_summaries

    models = {name: architecture.summary for name, architecture in sorted(ARCHITECTURES.items())}
    checkpoints = {checkpoint.name: checkpoint.summary for checkpoint in list_checkpoints()}
    _print_section("architectures", models)
    _print_section("released checkpoints", checkpoints)
    _print_section("configs", config_summaries())
    for gives, title in KINDS.items():
        names = list_corpora(gives)
        _print_section(title, {name: find_corpus(name, gives).origin for name in names})


def _print_section(title: str, summaries: dict[str, str]) -> None:
    print(f"{title}:")
    width = max(map(len, summaries), default=0)
    for name, summary in summaries.items():
        print(f"  {name:{width}}  {summary}")
    if not summaries:
        print("  (none)")
