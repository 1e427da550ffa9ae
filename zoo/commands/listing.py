"""`python -m zoo list`: architectures, released checkpoints and corpora by name."""

import argparse

SUMMARY = "list architectures, released checkpoints and corpora"
EXAMPLES = """\
example:
  python -m zoo list
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """This command has none."""


def run(arguments: argparse.Namespace) -> None:
    """Prints the names, one a line, with what each is."""
    from zoo.data.labeled_sources import LABELED_SOURCES
    from zoo.data.parallel_sources import PARALLEL_SOURCES
    from zoo.data.sources import SOURCES
    from zoo.hub import list_checkpoints
    from zoo.models.registry import ARCHITECTURES

    models = {name: architecture.summary for name, architecture in sorted(ARCHITECTURES.items())}
    checkpoints = {checkpoint.name: checkpoint.summary for checkpoint in list_checkpoints()}
    _print_section("architectures", models)
    _print_section("released checkpoints", checkpoints)
    corpora = {name: source.origin for name, source in sorted(SOURCES.items())}
    _print_section("corpora", corpora)
    labeled = {name: source.origin for name, source in sorted(LABELED_SOURCES.items())}
    _print_section("corpora of labelled texts", labeled)
    parallel = {name: source.origin for name, source in sorted(PARALLEL_SOURCES.items())}
    _print_section("corpora of sentence pairs", parallel)


def _print_section(title: str, summaries: dict[str, str]) -> None:
    print(f"{title}:")
    width = max(map(len, summaries), default=0)
    for name, summary in summaries.items():
        print(f"  {name:{width}}  {summary}")
    if not summaries:
        print("  (none)")
