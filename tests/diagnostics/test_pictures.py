"""Pictures tell once which characters no font can draw."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from matplotlib.artist import Artist

from zoo.decoding.translation import Translation
from zoo.diagnostics import fonts
from zoo.diagnostics.alignment import draw_alignment
from zoo.diagnostics.figures import alignment_figure
from zoo.diagnostics.fonts import choose_fonts, tell_missing_glyphs
from zoo.diagnostics.pictures import picture
from zoo.diagnostics.winners import draw_winners
from zoo.errors import Note
from zoo.evaluation.interpolation import Winners


def draw(path: Path, text: str) -> None:
    """A picture with a text in it, twice."""
    with picture(path, (2, 2)) as (_, axes):
        axes.set_title(text)
        axes.set_xlabel(text)


def test_characters_without_a_glyph_are_named_once(tmp_path: Path) -> None:
    with pytest.warns(Note) as told:
        draw(tmp_path / "a.png", "a \ue123 b \ue124 \ue123")
    (note,) = told
    assert str(note.message) == (
        "no installed font has a glyph for \ue123, \ue124; the picture shows boxes there. "
        "Install a font that has them"
    )
    assert (tmp_path / "a.png").exists()


def test_the_fonts_to_install_are_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure

    monkeypatch.setattr(fonts, "_has_glyph", lambda path, character: character.isascii())
    figure = Figure()
    figure.text(0, 0, "net \u7db2 \u7d61 \u0e01")
    missing = choose_fonts(figure, ["DejaVu Sans"])
    assert missing == "\u0e01\u7d61\u7db2"
    with pytest.warns(Note, match=r"such as Noto Sans Thai and Noto Sans CJK \(package [\w-]+\)$"):
        tell_missing_glyphs(missing)


def test_every_text_falls_back_on_any_installed_font() -> None:
    """The circled A is in STIX, which comes with matplotlib, and not in DejaVu."""
    from matplotlib.figure import Figure

    figure = Figure()
    text = figure.text(0, 0, "net \u24b6", family="monospace")
    assert choose_fonts(figure, ["DejaVu Sans"]) == ""
    assert text.get_fontfamily() == ["monospace", "DejaVu Sans", "STIXGeneral"]


def test_dollar_signs_are_drawn_and_numbers_of_axes_are_set(tmp_path: Path) -> None:
    with picture(tmp_path / "a.png", (4, 3)) as (_, axes):
        axes.plot([1, 10], [1, 10])
        axes.set_yscale("log")
        axes.set_xticks([1, 10], labels=["$$", "US$50,US$60"])
        axes.set_title("a$_$b")
    assert not axes.title.get_parse_math()
    assert {label.get_parse_math() for label in axes.get_xticklabels()} == {False}
    powers = [label for label in axes.get_yticklabels() if "mathdefault" in label.get_text()]
    assert powers
    assert all(label.get_parse_math() for label in powers)


def test_long_sources_and_texts_go_on_below(tmp_path: Path) -> None:
    source = tuple(f"wort{number}" for number in range(70))
    target = (" sub", "word", "</s>")
    attention = np.full((3, 70), 1 / 70, np.float32)
    translation = Translation("", "", 0.0, source, target, attention)
    draw_alignment(tmp_path / "a.png", translation)
    half = np.log(np.full((1, 45), 0.5))
    winners = Winners([*target] * 15, half, half[0], np.zeros(45, int))
    draw_winners(tmp_path / "w.png", winners, ["LSTM"])
    for name in ("a.png", "w.png"):
        width = int.from_bytes((tmp_path / name).read_bytes()[16:20], "big")
        assert width < 14 * 144, name
    assert alignment_figure(translation)["rows"] == ["\u2423sub", "word", "</s>"]


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
