"""Configs by name: the files in configs/, the user's own files, and configs of trained models."""

import difflib
import os
import sys
import traceback
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType

from ml_collections import ConfigDict

from zoo.errors import WRONG_FORM, UserError
from zoo.report.records import flatten
from zoo.training.config import base_config, check_fields
from zoo.training.config_names import config_paths
from zoo.training.release import without_paths
from zoo.types import Json


def config(name: os.PathLike[str] | str) -> ConfigDict:
    """Returns a config, whose fields can be changed before it is passed to `zoo.train`.

    Args:
        name: the name of a file in configs/ without its ending, such as "python_docs_lstm"; or the
            path of your own file with a function get_config; or a released checkpoint or a run.
            A checkpoint or run gives the config that it was trained with, without the places of
            its files. After a file, a colon and a text pass the text to get_config.

    Raises:
        UserError: if there is no such config, or its file fails.
        TypeError: if the argument is neither a name nor a path.

    Example:
        >>> found = config("python_docs_lstm")
        >>> found.model.cell, found.data.corpus
        ('lstm', 'python_docs')
        >>> config("python_docs_lstn")
        Traceback (most recent call last):
            ...
        zoo.errors.UserError: no config is called 'python_docs_lstn'; did you mean \
python_docs_lstm? A config is also a file with a function get_config, a run or a released checkpoint
    """
    if not isinstance(name, str | os.PathLike):
        raise TypeError(
            f"the config is {name!r:.60}, of type {type(name).__name__}; give a config from "
            "zoo.config, its name, or the path of a config file"
        )
    given = os.fspath(name)
    files = config_paths()
    place, _, argument = given.partition(":")
    if given in files:
        return _read(files[given], "")
    if place.endswith(".py") or os.path.isfile(place):
        return _read(Path(place).expanduser(), argument)
    return _of_model(given, files)


def _read(path: Path, argument: str) -> ConfigDict:
    """Returns the result of a file's function get_config."""
    module = _run(path)
    if not hasattr(module, "get_config"):
        raise UserError(
            f"{path} has no function get_config; write one like those in the files of configs/"
        )
    try:
        found = module.get_config(*([argument] if argument else []))
    except UserError as error:
        raise UserError(f"{path}: get_config fails: {error}") from error
    except Exception as error:  # the user's own file may raise anything
        raise UserError(f"{path}: get_config fails: {_describe_error(error, path)}") from error
    if not isinstance(found, ConfigDict):
        raise UserError(
            f"{path}: get_config returns a {type(found).__name__}; return a ConfigDict, such as "
            "zoo.config gives"
        )
    try:
        check_fields(found)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return found


def _run(path: Path) -> ModuleType:
    """Runs a file of the user, and returns it as a module."""
    name = f"zoo_config_{path.stem}"
    loader = SourceFileLoader(name, str(path))  # a file name with any ending
    module = module_from_spec(ModuleSpec(name, loader, origin=str(path)))
    sys.modules[name] = module  # dataclasses look for their module here
    try:
        path.read_bytes()
        loader.exec_module(module)
    except OSError as error:
        raise UserError(f"the config cannot be read: {error}") from error
    except (ImportError, SyntaxError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} is not a Python file that can be run: {error}") from error
    except Exception as error:
        raise UserError(f"{path} fails: {_describe_error(error, path)}") from error
    return module


def _describe_error(error: Exception, path: Path) -> str:
    """Describes an error that a config file raises, with the line of the file that raised it."""
    told = error.args[0] if error.args else ""  # ml_collections wraps a KeyError
    reason = " ".join(str(told.args[0] if isinstance(told, KeyError) else told).split())
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if os.path.abspath(frame.filename) == os.path.abspath(path):
            return f"{type(error).__name__}: {reason} ({frame.filename}, line {frame.lineno})"
    return f"{type(error).__name__}: {reason}"


def _of_model(name: str, files: dict[str, Path]) -> ConfigDict:
    """Returns the config of a released checkpoint or a run."""
    from zoo import hub  # imports what training itself does not need

    if not name.strip():
        raise UserError("the name of the config is empty; give one, such as python_docs_lstm")
    try:
        record = hub.describe(name)["config"]
    except UserError as error:
        if os.path.isdir(name):
            raise
        near = difflib.get_close_matches(name, files, n=1)
        known = f"did you mean {near[0]}?" if near else "see python -m zoo list."
        raise UserError(
            f"no config is called {name!r}; {known} A config is also a file with a function "
            "get_config, a run or a released checkpoint"
        ) from error
    try:
        return _filled(without_paths(record))
    except (*WRONG_FORM, UserError) as error:
        raise UserError(f"{name} was trained with a config of another form: {error}") from error


def _filled(record: Json) -> ConfigDict:
    """Returns a config of this version, with the values that a record has."""
    found = base_config(record["model"]["architecture"])
    defaults = flatten(found.to_dict())
    for field, value in flatten(record).items():
        if field not in defaults:
            raise UserError(f"this version has no field {field}")
        section, _, own = field.partition(".")
        found[section][own] = tuple(value) if isinstance(value, list) else value
    return found
