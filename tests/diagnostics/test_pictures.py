"""Pictures tell once which characters no font can draw."""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.artist import Artist

from zoo.data.labels import make_labels
from zoo.decoding.translation import Translation
from zoo.diagnostics import confusion, fonts, shaded_tokens
from zoo.diagnostics import winners as winners_picture
from zoo.diagnostics.alignment import draw_alignment
from zoo.diagnostics.figures import alignment_figure
from zoo.diagnostics.fonts import choose_fonts, tell_missing_glyphs
from zoo.diagnostics.pictures import picture
from zoo.diagnostics.winners import draw_winners
from zoo.errors import Note
from zoo.evaluation.attribution import Attribution
from zoo.evaluation.classification import score_probabilities
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


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The axes of the pictures that are drawn."""
    found: list[Any] = []

    @contextmanager
    def kept(*args: Any, **options: Any) -> Iterator[tuple[Any, Any]]:
        with picture(*args, **options) as both:
            found.append(both[1])
            yield both

    for module in (confusion, shaded_tokens, winners_picture):
        monkeypatch.setattr(module, "picture", kept)
    return found


def test_each_row_of_a_confusion_matrix_is_shaded_by_the_part_of_its_texts(
    tmp_path: Path, drawn: list[Any]
) -> None:
    labels, counts = make_labels([["a"], ["b"]]), [(0, 0), (0, 1), (0, 1), (0, 1), (1, 1)]
    truth, chosen = (np.eye(2)[list(column)] for column in zip(*counts, strict=True))
    confusion.draw_confusion(
        tmp_path / "c.png", score_probabilities(chosen, truth, labels, np.zeros(2))
    )
    assert drawn[0].images[0].get_array().tolist() == [[0.25, 0.75], [0, 1]]


def test_the_best_model_of_each_token_is_framed_in_every_panel(
    tmp_path: Path, drawn: list[Any]
) -> None:
    best = np.arange(45) // 20 % 2  # the first model, then the second, then the first again
    nats = np.log(np.full((2, 45), 0.5))
    draw_winners(tmp_path / "w.png", Winners(["a"] * 45, nats, nats[0], best), ["one", "two"])
    rows = [round(frame.get_y() + 0.47) for axis in drawn[0][:, 0] for frame in axis.patches]
    assert rows == best.tolist()


def test_the_title_of_an_attribution_has_the_probability_of_its_label(
    tmp_path: Path, drawn: list[Any]
) -> None:
    found = Attribution("a b", "good", "leave_one_out", ("a", "b"), (0.5, -1.0), math.log(0.25))
    shaded_tokens.draw_attributions(tmp_path / "a.png", [found])
    assert drawn[0].texts[0].get_text() == "good (0.25); largest attribution 1.00 nats"
