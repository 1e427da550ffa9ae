"""Train a model: python train.py --config=configs/python_docs_lstm.py --workdir=runs/demo.

Any field of the config can be set: --config.training.num_steps=500. Stopped (Ctrl-C, SIGTERM) and
started again with the same workdir, a run goes on where it was.
"""

import signal

if __name__ == "__main__":  # until run_program takes over, Ctrl-C ends this without a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import itertools
import os
import traceback
from typing import Any

from absl import app, flags, logging
from ml_collections import ConfigDict, config_flags

from zoo.errors import UserError, fail, with_flags
from zoo.kept import keep_compiled_programs
from zoo.terminal import plain, run_script

try:
    _CONFIG = config_flags.DEFINE_config_file("config", None, "The experiment, a file in configs/.")
except flags.Error as error:  # of a --flagfile, which is read this early
    fail(plain(str(error)))
_IN_CONFIG = "Error whilst parsing config file"  # ml_collections says
_WORKDIR = flags.DEFINE_string("workdir", None, "The run's directory: checkpoints and metrics.")
_ALLOW_CONFIG_CHANGE = flags.DEFINE_bool(
    "allow_config_change", False, "Go on with a run although its config was another."
)
_NO_COMPILATION_CACHE = flags.DEFINE_bool(
    "no_compilation_cache", False, "Compile everything, and store no compiled program."
)
_DISTRIBUTED = flags.DEFINE_bool(
    "distributed", False, "One of several processes, which Cloud TPU, Slurm or GKE introduces."
)
_COORDINATOR = flags.DEFINE_string("coordinator", None, "HOST:PORT of the first of them, without.")
_NUM_PROCESSES = flags.DEFINE_integer("num_processes", None, "How many processes there are.")
_PROCESS_ID = flags.DEFINE_integer("process_id", None, "Which of them this is, from 0.")


def _parse_flags(argv: list[str]) -> list[str]:
    """Flags from the command line; a mistake in them ends the program with one line."""
    try:
        rest = flags.FLAGS(argv)
        if rest[1:]:
            raise UserError(f"unexpected argument {rest[1]!r}; settings start with --config.")
        for flag in (_CONFIG, _WORKDIR):
            if flag.value is None:
                raise UserError(f"--{flag.name} is missing; {__doc__.splitlines()[0]}")
        _ = _CONFIG.value.training  # where the file could not be read, this says so
    except Exception as error:  # the user's own config file may raise anything
        fail(plain(_told(error, argv)))
    return rest


def _told(error: Exception, argv: list[str]) -> str:
    """A mistake in the flags, or in the file that --config names, in one line."""
    if line := _line_of_config(error, argv):
        return f"--config raises {type(error).__name__}: {error} ({line})"
    if isinstance(error, AttributeError | KeyError):  # ml_collections may wrap one in the other
        told = error.args[0]
        if "'get_config'" in str(told):
            return "--config names a file without a function get_config; take one as in configs/"
        return f"no such setting: {told.args[0] if isinstance(told, KeyError) else told}"
    if isinstance(error, OSError):
        return f"--config can't be read: {str(error).splitlines()[-1]}"
    if _IN_CONFIG in str(error):  # and a traceback, whose last line is the error
        last = str(error).strip().splitlines()[-1].removeprefix("zoo.errors.UserError: ")
        return f"--config names a file whose get_config fails: {last}"
    if isinstance(error, ImportError | SyntaxError):
        return f"--config is no Python file that can be run: {error}"
    return str(error)


def _line_of_config(error: Exception, argv: list[str]) -> str:
    """The file and the line of a config file that an error came from; "" if it did not."""
    given = [after.removeprefix("--config=") for after in argv if after.startswith("--config=")]
    given += [after for flag, after in itertools.pairwise(argv) if flag == "--config"]
    files = {os.path.abspath(path.partition(":")[0]) for path in given}
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if os.path.abspath(frame.filename) in files:
            return f"{frame.filename}, line {frame.lineno}"
    return ""


def main(argv: list[str]) -> None:
    """Flags to config to zoo.training.train."""
    del argv
    logging.set_verbosity(logging.WARNING)  # Orbax tells of every file it writes
    if not _NO_COMPILATION_CACHE.value:
        keep_compiled_programs()
    from zoo.training.hosts import connect
    from zoo.training.loop import train

    joining = (_COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value)
    if _DISTRIBUTED.value or any(value is not None for value in joining):
        connect(*joining)
    try:
        train(_CONFIG.value, str(_WORKDIR.value), allow_config_change=_ALLOW_CONFIG_CHANGE.value)
    except UserError as error:
        raise UserError(with_flags(str(error), _field_flags(_CONFIG.value))) from error


def _field_flags(config: Any) -> dict[str, str]:
    """The flag of each field of a config."""
    names = [
        f"{section}.{name}"
        for section, fields in config.items()
        if isinstance(fields, ConfigDict)
        for name in fields
    ]
    return {name: f"--config.{name}" for name in names}


if __name__ == "__main__":
    run_script(lambda: app.run(main, flags_parser=_parse_flags))
