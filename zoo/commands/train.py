"""`python -m zoo train`, and `train.py`: trains the model that a config describes."""

import argparse
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ml_collections import ConfigDict

from zoo.errors import UserError, with_flags
from zoo.kept import keep_compiled_programs
from zoo.terminal import plain
from zoo.types import Json

SUMMARY = "train the model that a config describes, on a corpus or on your own files"
EXAMPLES = """\
examples:
  python -m zoo train csv_classifier --workdir=runs/mine --data.directory=my.csv
  python -m zoo train text_file_lstm --workdir=runs/mine --data.directory=my.txt
  python -m zoo train my_config.py --workdir=runs/mine --training.num_steps=500

CONFIG is the name of a file in configs/, a file of your own with a function get_config, or a run or
a released checkpoint, for the config that it was trained with. `python -m zoo config CONFIG` lists
its fields. A run that was stopped (Ctrl-C, SIGTERM) continues when it is started again with the
same workdir.

flags, which follow CONFIG:
  --workdir=DIR            directory of the run, for its checkpoints and metrics
  --SECTION.FIELD=VALUE    value of a field of the config; also --config.SECTION.FIELD=VALUE
  --allow_config_change    continue a run even if its config was different
  --no_compilation_cache   compile every program again, and store none
  --distributed            join a multi-process run that Cloud TPU, Slurm or GKE has set up
  --coordinator=HOST:PORT  address of process 0; needed only if the cluster does not provide it
  --num_processes=N        number of processes; needed with --coordinator
  --process_id=I           number of this process, from 0; needed with --coordinator
"""
_SCRIPT_USAGE = """\
usage: python train.py --config=CONFIG --workdir=DIR [--config.SECTION.FIELD=VALUE ...]

train.py is `python -m zoo train` with its CONFIG as --config. With --config=CONFIG, --help also
lists the fields of that config.
"""
_HELP = {"-h", "--help", "-help", "--helpfull", "--helpshort"}
_SHORT = re.compile(r"--?(?=(data|evaluation|mesh|model|optimizer|training)\.[a-z])")
_EXAMPLE = "python -m zoo train python_docs_lstm --workdir=runs/demo"
_SCRIPT_EXAMPLE = "python train.py --config=configs/python_docs_lstm.py --workdir=runs/demo"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the argument of this command; its flags are the flags of train.py."""
    parser.add_argument("config", metavar="CONFIG", nargs="?", help="a name or a file")


def run(arguments: argparse.Namespace) -> None:
    """Trains a model.

    Args:
        arguments: parsed arguments, with the flags of train.py in `settings`.

    Raises:
        UserError: if a flag is wrong, or as in `zoo.train`.
    """
    named = [] if arguments.config is None else [f"--config={arguments.config}"]
    named += ["--no_compilation_cache"] if arguments.no_compilation_cache else []
    _train([*named, *arguments.settings], _EXAMPLE)


def main(words: Sequence[str]) -> None:
    """Runs train.py.

    Args:
        words: the arguments of train.py.

    Raises:
        UserError: as in `run`.
    """
    if _HELP.intersection(words):
        print(_SCRIPT_USAGE + EXAMPLES[EXAMPLES.index("\nCONFIG is") :], end="")
        name, _ = _take_config([word for word in words if word not in _HELP])
        if name is not None:
            _print_fields(name)
        return
    _train(words, _SCRIPT_EXAMPLE)


def _print_fields(name: str) -> None:
    import zoo
    from zoo.training.config_fields import describe_fields

    print(f"\nfields of {name}:\n{describe_fields(zoo.config(name))}")


def _train(words: Sequence[str], example: str) -> None:
    """Calls zoo.train with the config that the flags give; error messages show the example."""
    values = _parse([_SHORT.sub("--config.", word) for word in words], example)
    from absl import logging

    import zoo
    from zoo.training.api import StoppedRun
    from zoo.training.hosts import connect

    logging.set_verbosity(logging.WARNING)  # Orbax logs every file that it writes
    if not values["no_compilation_cache"]:
        keep_compiled_programs()
    joining = (values["coordinator"], values["num_processes"], values["process_id"])
    if values["distributed"] or any(value is not None for value in joining):
        connect(*joining)
    config = values["config"]
    try:
        with suppress(StoppedRun):  # the last line of progress says so
            zoo.train(config, values["workdir"], allow_config_change=values["allow_config_change"])
    except UserError as error:
        raise UserError(with_flags(str(error), _field_flags(config))) from error


def _parse(words: list[str], example: str) -> Json:
    """Returns the values of the flags by name; the config among them has its fields set."""
    from ml_collections import config_flags

    import zoo

    values = _define_flags()
    try:
        name, words = _take_config(values.read_flags_from_files(words, force_gnu=False))
        if name is None:
            raise UserError(f"--config is missing; type, for example: {example}")
        argv = ["train", *_last_of_each(words)]
        config_flags.DEFINE_config_dict(
            "config", zoo.config(name), flag_values=values, sys_argv=argv
        )
        rest = values(argv)
    except UserError:
        raise
    except Exception as error:  # from absl and ml_collections
        raise UserError(plain(_describe_error(error))) from error
    if rest[1:]:
        raise UserError(f"unexpected argument {rest[1]!r}; settings start with --config.")
    if values["workdir"].value is None:
        raise UserError(f"--workdir is missing; type, for example: {example}")
    return {name: values[name].value for name in values if "." not in name}


def _last_of_each(words: list[str]) -> list[str]:
    """Drops all but the last of repeated fields; ml_collections would join repeated tuples.

    Example:
        >>> _last_of_each(["--config.model.hidden_sizes=8", "x", "--config.model.hidden_sizes=4,4"])
        ['x', '--config.model.hidden_sizes=4,4']
    """
    fields = [word.partition("=") for word in words]
    last = {name: at for at, (name, is_set, _) in enumerate(fields) if is_set and "." in name}
    return [
        word
        for at, word in enumerate(words)
        if not fields[at][1] or last.get(fields[at][0], at) == at
    ]


def _define_flags() -> Any:
    """Defines the flags of training without --config; absl's own flags are added to them."""
    from absl import flags

    values = flags.FlagValues()
    texts: Json = {"flag_values": values}
    values.append_flag_values(flags.FLAGS)
    flags.DEFINE_string("flagfile", "", "A file with one flag per line.", **texts)
    flags.DEFINE_string("workdir", None, "Directory of the run.", **texts)
    flags.DEFINE_bool("allow_config_change", False, "Continue with another config.", **texts)
    flags.DEFINE_bool("no_compilation_cache", False, "Store no compiled program.", **texts)
    flags.DEFINE_bool("distributed", False, "Join a run that a cluster has set up.", **texts)
    flags.DEFINE_string("coordinator", None, "Address (HOST:PORT) of process 0.", **texts)
    flags.DEFINE_integer("num_processes", None, "Number of processes.", **texts)
    flags.DEFINE_integer("process_id", None, "Number of this process, from 0.", **texts)
    return values


def _take_config(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """Returns the value of --config, or None without that flag, and the other words."""
    name, rest, words = None, [], list(words)
    while words:
        word = words.pop(0)
        flag, equals, value = word.partition("=")
        if flag not in ("--config", "-config"):
            rest.append(word)
        elif equals or words:
            name = value if equals else words.pop(0)
    return name, rest


def _describe_error(error: Exception) -> str:
    """Returns the message for a mistake in the flags, in one line."""
    if isinstance(error, AttributeError | KeyError):  # ml_collections may wrap a KeyError
        told = error.args[0]
        return f"no such setting: {told.args[0] if isinstance(told, KeyError) else told}"
    return str(error)


def _field_flags(config: ConfigDict) -> dict[str, str]:
    """Returns the flag of each field of a config."""
    names = [f"{section}.{name}" for section, fields in config.items() for name in fields]
    return {name: f"--config.{name}" for name in names}
