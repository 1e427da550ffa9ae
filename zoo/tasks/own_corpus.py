"""Finds the corpus that a checkpoint was trained on, without following a path from the checkpoint.

A checkpoint may come from anybody. Its settings of the corpus (name, tokens, cuts of texts) are
used. But only the user decides where files lie, with --data_directory.
"""

import dataclasses
import shlex
import warnings
from typing import TypeVar

from zoo.data.config import PLACES, SharedDataConfig
from zoo.errors import UserError
from zoo.models.trained import Checkpoint

Record = TypeVar("Record", bound=SharedDataConfig)


def own_data_config(checkpoint: Checkpoint, record: type[Record], directory: str | None) -> Record:
    """Returns the section `data` of a checkpoint with the user's directory.

    Args:
        checkpoint: a checkpoint from `zoo.load`.
        record: the record of the section, such as `DataConfig`.
        directory: the value of --data_directory; None if the user gives none.

    Raises:
        UserError: the checkpoint names no corpus, its section has the wrong form, or the corpus
            needs files and the user has not given their directory.
    """
    section = checkpoint.config.get("data")
    if section is None:
        raise UserError(f"{checkpoint.name} knows no corpus; give a text with --text=FILE")
    named = section.get("directory")
    if named and directory is None:
        raise UserError(
            f"{checkpoint.name} says that its corpus {section.get('corpus')!r} lies in {named!r}, "
            "but a path from a checkpoint is not followed; if you trust it, type "
            f"--data_directory={shlex.quote(str(named))}"
        )
    fields = {name: value for name, value in section.items() if name not in PLACES}
    try:
        config = record(**fields, directory=directory or "")
    except TypeError as error:
        raise UserError(
            f"{checkpoint.name} has another form of the section data ({error}); use the version of "
            "recurrent-zoo that trained it"
        ) from error
    _check_kinds(checkpoint.name, config, record())
    return config


def _check_kinds(name: str, config: SharedDataConfig, defaults: SharedDataConfig) -> None:
    """Raises a UserError if the type of a field differs from the type of its default."""
    for field in dataclasses.fields(config):
        value, default = getattr(config, field.name), getattr(defaults, field.name)
        kinds: type | tuple[type, ...] = (
            (tuple, list) if isinstance(default, tuple) else type(default)
        )
        kinds = (int, float) if kinds is float else kinds
        if not isinstance(value, kinds):
            raise UserError(
                f"{name} has data.{field.name}={value!r}, which is not of the type of {default!r}"
            )


def corpus_lines(checkpoint: Checkpoint, split: str, directory: str | None) -> list[str]:
    """Returns the lines of a split of the corpus that a language model was trained on.

    Args:
        checkpoint: a checkpoint from `zoo.load`.
        split: train, validation or test.
        directory: the directory of the corpus; None if the corpus needs no files.

    Raises:
        UserError: the corpus is missing, or the checkpoint names no corpus.
    """
    from zoo.data.config import DataConfig
    from zoo.data.fingerprints import of_lines
    from zoo.data.loading import load_corpus

    config = own_data_config(checkpoint, DataConfig, directory)
    lines = load_corpus(config)[split]
    note_other_text(checkpoint, split, of_lines(lines))
    return lines


def note_other_text(checkpoint: Checkpoint, split: str, fingerprint: str) -> None:
    """Warns if a split is not the text that the checkpoint's run had.

    Args:
        checkpoint: a checkpoint from `zoo.load`.
        split: train, validation or test.
        fingerprint: the fingerprint of the text that was found, see `zoo.data.fingerprints`.
    """
    known = checkpoint.progress.get("fingerprints", {})
    if isinstance(known, dict) and known.get(split, fingerprint) != fingerprint:
        warnings.warn(
            f"the {split} split that was found is not the {split} split of the run that trained "
            f"{checkpoint.name}; the scores cannot be compared with its own scores",
            stacklevel=2,
        )
