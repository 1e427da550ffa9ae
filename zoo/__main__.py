"""The command line: `python -m zoo COMMAND`."""

import signal

if __name__ == "__main__":  # until run_program takes over, Ctrl-C must not print a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

import zoo
from zoo.commands import (
    classify,
    compare,
    config,
    diagnose,
    evaluate,
    export,
    generate,
    listing,
    mix,
    perplexity,
    release,
    report,
    serve,
    tag,
    train,
    translate,
    verify,
)
from zoo.commands.picture_flag import check_picture
from zoo.errors import UserError, with_flags
from zoo.kept import keep_compiled_programs
from zoo.terminal import end_process, run_program

COMMANDS = {
    "list": listing,
    "config": config,
    "train": train,
    "evaluate": evaluate,
    "compare": compare,
    "perplexity": perplexity,
    "generate": generate,
    "classify": classify,
    "tag": tag,
    "translate": translate,
    "mix": mix,
    "diagnose": diagnose,
    "export": export,
    "report": report,
    "serve": serve,
    "release": release,
    "verify": verify,
}
_NO_CACHE = "Compile all programs again, and store none of them."
# The field of a config that each of these flags of commands sets.
_FIELDS = {"data_directory": "data.directory", "column": "data.text_column", "id": "data.id_column"}
_OF_TRAINING = "a field of the config that the model was trained with"


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, like all other errors."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: the words after `python -m zoo`; None means the arguments of the process.

    Returns:
        The exit code, see `zoo.terminal.run_program`.
    """
    return run_program(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> None:
    _check_words(sys.argv[1:] if arguments is None else arguments)
    parsed, rest = _parser().parse_known_args(arguments)
    command = COMMANDS[parsed.command]
    if command is train:  # the flags of train are the fields of its config
        parsed.settings = rest
    elif "texts" in parsed and not any(word.startswith("-") for word in rest):
        parsed.texts += rest  # argparse leaves over the texts that stand behind a flag
    elif rest:
        raise UserError(
            f"unrecognized arguments: {' '.join(rest)}; see python -m zoo {parsed.command} --help"
        )
    check_picture(parsed)
    if not parsed.no_compilation_cache:
        keep_compiled_programs()
    try:
        command.run(parsed)
    except UserError as error:
        if command is train:  # train has named its flags itself
            raise
        flags = {field: f"--{flag}" for flag, field in _FIELDS.items() if flag in parsed}
        raise UserError(with_flags(str(error), flags, _OF_TRAINING)) from error


def _check_words(words: Sequence[str]) -> None:
    """Raises a UserError for `--flag=--`, which argparse reads as a flag with an empty list."""
    for word in words:
        flag, _, value = word.partition("=")
        if flag.startswith("--") and value == "--":
            raise UserError(f"{flag} is '--', which is not a value; give another value")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m zoo",
        description="Recurrent networks: list, train, measure and use them.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"recurrent-zoo {zoo.__version__}",
        help="Print the version.",
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        subparser = subparsers.add_parser(
            name,
            help=command.SUMMARY,
            description=command.SUMMARY,
            epilog=command.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_arguments(subparser)
        subparser.add_argument("--no_compilation_cache", action="store_true", help=_NO_CACHE)
    return parser


if __name__ == "__main__":
    end_process(main())
