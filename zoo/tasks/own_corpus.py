"""The corpus that a checkpoint was trained on, found without following a path that it names.

A checkpoint may come from anybody. What it says of its corpus (which one, which tokens, how texts
are cut) is used; where files lie is told by the user alone, with --data_directory.
"""

import dataclasses
import shlex
import warnings
from typing import TypeVar

from zoo.data.config import SharedDataConfig
from zoo.errors import UserError
from zoo.models.trained import Checkpoint

Record = TypeVar("Record", bound=SharedDataConfig)

# Fields of a data section that name a place on the machine, or say what to do with one.
_PLACES = ("directory", "cache_directory", "word_vectors", "keep_word_vectors")


def own_data_config(checkpoint: Checkpoint, record: type[Record], directory: str | None) -> Record:
    """Returns the data section of a checkpoint, with the user's directory instead of its own.

    Args:
        checkpoint: what `zoo.load` gives.
        record: the record of the section, such as `DataConfig`.
        directory: of --data_directory; None where the user gives none.

    Raises:
        UserError: the checkpoint knows no corpus, its section has the wrong form, or the corpus
            lies in files and the user has not said where.
    """
    section = checkpoint.config.get("data")
    if section is None:
        raise UserError(f"{checkpoint.name} knows no corpus; give a text with --text=FILE")
    named = section.get("directory")
    if named and directory is None:
        raise UserError(
            f"{checkpoint.name} says that its corpus {section.get('corpus')!r} lies in {named!r}, "
            "and a checkpoint's word is not followed; if you trust it, type "
            f"--data_directory={shlex.quote(str(named))}"
        )
    fields = {name: value for name, value in section.items() if name not in _PLACES}
    try:
        config = record(**fields, directory=directory or "")
    except TypeError as error:
        raise UserError(
            f"{checkpoint.name} has a data section of another form ({error}); use the version of "
            "recurrent-zoo that trained it"
        ) from error
    _check_kinds(checkpoint.name, config, record())
    return config


def _check_kinds(name: str, config: SharedDataConfig, defaults: SharedDataConfig) -> None:
    """Raises UserError for a field whose value is of another kind than its default."""
    for field in dataclasses.fields(config):
        value, default = getattr(config, field.name), getattr(defaults, field.name)
        kinds: type | tuple[type, ...] = (
            (tuple, list) if isinstance(default, tuple) else type(default)
        )
        kinds = (int, float) if kinds is float else kinds
        if not isinstance(value, kinds):
            raise UserError(
                f"{name} has data.{field.name}={value!r}, which is of another kind than {default!r}"
            )


def corpus_lines(checkpoint: Checkpoint, split: str, directory: str | None) -> list[str]:
    """Returns the lines of a split of the corpus that a language model was trained on.

    Args:
        checkpoint: what `zoo.load` gives.
        split: train, validation or test.
        directory: where the corpus lies; None for a corpus that needs no files.

    Raises:
        UserError: it isn't there, or the checkpoint knows none.
    """
    from zoo.data.config import DataConfig
    from zoo.data.fingerprints import of_lines
    from zoo.data.loading import load_corpus

    config = own_data_config(checkpoint, DataConfig, directory)
    lines = load_corpus(config)[split]
    note_other_text(checkpoint, split, of_lines(lines))
    return lines


def note_other_text(checkpoint: Checkpoint, split: str, fingerprint: str) -> None:
    """Warns where a split is not the text that the checkpoint's run had.

    Args:
        checkpoint: what `zoo.load` gives.
        split: train, validation or test.
        fingerprint: of the text that was found, see `zoo.data.fingerprints`.
    """
    known = checkpoint.progress.get("fingerprints", {})
    if isinstance(known, dict) and known.get(split, fingerprint) != fingerprint:
        warnings.warn(
            f"the {split} split that was found is another text than the one that "
            f"{checkpoint.name} was trained beside; scores do not compare with its own",
            stacklevel=2,
        )
