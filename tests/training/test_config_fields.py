"""The fields of a config in words, as `zoo config` and `train.py --help` print them."""

import pytest

import zoo
from zoo.__main__ import main
from zoo.commands import train
from zoo.training.config_fields import describe_fields


def line_of(printed: str, field: str) -> str:
    """Returns the line of a field."""
    (line,) = (line for line in printed.splitlines() if line.startswith(f"  --{field}="))
    return line


@pytest.mark.parametrize("name", ["python_docs_lstm", "python_docs_kneser_ney", "csv_classifier"])
def test_every_field_has_a_line_with_its_value_and_a_description(name: str) -> None:
    config = zoo.config(name)
    printed = describe_fields(config)
    for section, fields in config.items():
        for field, value in fields.items():
            if field != "architecture":
                line = line_of(printed, f"{section}.{field}")
                assert line.startswith(f"  --{section}.{field}={value} ")
                assert len(line.partition(f"={value} ")[2].split()) > 0


def test_a_value_of_the_config_is_shown_with_the_default() -> None:
    config = zoo.config("python_docs_lstm")
    config.optimizer.clip_norm = 7.0
    line = line_of(describe_fields(config), "optimizer.clip_norm")
    assert line.startswith("  --optimizer.clip_norm=7.0  ")
    assert line.endswith(" (default: 1.0)")
    assert "default" not in line_of(describe_fields(config), "optimizer.momentum")


def test_open_fields_are_explained() -> None:
    note = "None: the value follows from the size of the corpus."
    assert describe_fields(zoo.config("csv_classifier")).endswith(note)
    assert note not in describe_fields(zoo.config("python_docs_lstm"))


def test_the_command_and_the_help_of_train_print_them(capsys: pytest.CaptureFixture[str]) -> None:
    fields = describe_fields(zoo.config("python_docs_gru"))
    assert main(["config", "python_docs_gru"]) == 0
    assert capsys.readouterr().out == f"{fields}\n"
    train.main(["--config=python_docs_gru", "--help"])
    assert capsys.readouterr().out.endswith(f"\nfields of python_docs_gru:\n{fields}\n")
    train.main(["--help"])
    assert "\nfields of" not in capsys.readouterr().out


def test_a_config_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "python_docs_gur"]) == 2
    assert "did you mean python_docs_gru?" in capsys.readouterr().err
