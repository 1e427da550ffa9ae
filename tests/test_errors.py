"""Libraries name fields of a config; programs say how they are typed."""

import warnings

import pytest

from zoo.errors import Note, with_flags
from zoo.terminal import run_program

OF_TRAIN = {name: f"--config.{name}" for name in ("data.directory", "data.cut", "model.cell")}
OF_COMMAND = {"data.directory": "--data_directory"}


@pytest.mark.parametrize(
    ("message", "of_train", "of_command"),
    [
        ("a is missing", "a is missing", "a is missing"),
        ("use data.directory=DIR", "use --config.data.directory=DIR", "use --data_directory=DIR"),
        (
            "use --config.data.directory=DIR",
            "use --config.data.directory=DIR",
            "use --data_directory=DIR",
        ),
        (
            "use data.cut=end or data.directory=DIR",
            "use --config.data.cut=end or --config.data.directory=DIR",
            "use data.cut=end or --data_directory=DIR (trained)",
        ),
        (
            "give --config.data.cut",
            "give --config.data.cut",
            "give data.cut (trained)",
        ),
        (
            "model.cell is no cell; see data.cut",
            "model.cell is no cell; see data.cut (type --config.model.cell=...)",
            "model.cell is no cell; see data.cut",
        ),
        ("model.cell is x; use data.cut=end", "model.cell is x; use --config.data.cut=end", None),
        ("model.cell: gru -> lstm", "model.cell: gru -> lstm", "model.cell: gru -> lstm"),
        ("no model.bin, x/data.cut=", "no model.bin, x/data.cut=", "no model.bin, x/data.cut="),
        ("--noconfig.data.cut", "--noconfig.data.cut", "--noconfig.data.cut"),
    ],
)
def test_fields_become_the_flags_of_a_program(message, of_train, of_command):
    assert with_flags(message, OF_TRAIN) == of_train
    if of_command is not None:
        assert with_flags(message, OF_COMMAND, "trained") == of_command


def test_a_note_is_one_line_in_every_program(capsys):
    for _ in range(2):  # and no note is held back because it was told before
        assert run_program(lambda: warnings.warn("the\nnote", Note, stacklevel=1)) == 0
    assert capsys.readouterr().err == "note: the note\n" * 2
