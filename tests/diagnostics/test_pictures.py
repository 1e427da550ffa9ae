"""Pictures tell once which characters no font can draw."""

import warnings
from pathlib import Path

import pytest
from matplotlib.artist import Artist

from zoo.diagnostics.pictures import picture
from zoo.errors import Note


def draw(path: Path, text: str) -> None:
    """A picture with a text in it, twice."""
    with picture(path, (2, 2)) as (_, axes):
        axes.set_title(text)
        axes.set_xlabel(text)


def test_characters_without_a_glyph_are_named_once(tmp_path: Path) -> None:
    with pytest.warns(Note) as told:
        draw(tmp_path / "a.png", "a \ue123 b \ue124 \ue123")
    (note,) = told
    assert "a glyph for \ue123, \ue124; the picture shows boxes there. Install a font" in str(
        note.message
    )
    assert (tmp_path / "a.png").exists()


def test_nothing_is_told_of_what_can_be_drawn(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(tmp_path / "a.svg", "schläft → Ω")


def test_another_warning_is_passed_on(tmp_path: Path) -> None:
    class Warns(Artist):
        def draw(self, renderer: object) -> None:
            warnings.warn("drawn", RuntimeWarning, stacklevel=1)

    with pytest.warns(RuntimeWarning, match="drawn"), picture(tmp_path / "a.png", (2, 2)) as both:
        both[0].add_artist(Warns())
