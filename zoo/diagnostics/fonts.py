"""Which installed fonts can draw the characters of a picture, and which fonts to install."""

import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from zoo.errors import Note

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CJK = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "FULLWIDTH", "HALFWIDTH")
_COMMON = ("LATIN", "GREEK", "CYRILLIC", "COMBINING", "MODIFIER", "DOUBLE")
_SYMBOLS = "Noto Sans Symbols 2 or Noto Emoji"
# They have a box for everything, pictures that matplotlib cannot draw, or parts of formulas.
_NOT_TRIED = ("Last Resort", "LastResort", "Color Emoji", "STIXSize", "STIXNon", "cm")
_TOLD = 20  # characters


def choose_fonts(figure: "Figure", families: Sequence[str]) -> str:
    """Gives every text of a figure fonts that have glyphs for its characters.

    The families are tried first. If they lack a character, every other font on this machine is
    tried, also a font that was installed since matplotlib listed them.

    Args:
        figure: the figure, with all its texts.
        families: names of installed fonts, the first one preferred.

    Returns:
        The characters that no font has a glyph for.
    """
    from matplotlib.text import Text

    texts = [text for text in figure.findobj(Text) if text.get_text()]
    wanted = sorted({character for text in texts for character in text.get_text()})
    known = _paths_of(families)
    missing = [one for one in wanted if _is_drawn(one) and not _any_has(known, one)]
    others, missing = _other_families(missing)
    for text in texts:
        own = text.get_fontfamily()
        text.set_fontfamily([*own, *(name for name in (*families, *others) if name not in own)])
    return "".join(missing)


def tell_missing_glyphs(characters: str) -> None:
    """Warns once of characters that no installed font can draw, with the fonts to install.

    Warns:
        Note: there are such characters.
    """
    if not characters:
        return
    shown = ", ".join(characters[:_TOLD]) + (", ..." if len(characters) > _TOLD else "")
    advice = " and ".join(dict.fromkeys(filter(None, map(font_to_install, characters))))
    warnings.warn(
        f"no installed font has a glyph for {shown}; the picture shows boxes there. "
        "Install a font that has them" + (f", such as {advice}" if advice else ""),
        Note,
        stacklevel=5,
    )


def font_to_install(character: str) -> str:
    """Returns a free font that has a character; nothing for one that no standard defines.

    Example:
        >>> font_to_install("\\u7db2"), font_to_install("\\u0e01"), font_to_install("\\ue123")
        ('Noto Sans CJK (package fonts-noto-cjk)', 'Noto Sans Thai', '')
    """
    words = unicodedata.name(character, "").split()
    if not words:
        return ""
    if words[0] in _CJK:
        return "Noto Sans CJK (package fonts-noto-cjk)"
    if unicodedata.category(character)[0] == "S":
        return _SYMBOLS
    return "Noto Sans" if words[0] in _COMMON else f"Noto Sans {words[0].title()}"


def _paths_of(families: Sequence[str]) -> list[str]:
    """Returns the files of installed families, in their order."""
    from matplotlib.font_manager import FontProperties, fontManager

    return [fontManager.findfont(FontProperties(family=[name])) for name in families]


def _is_drawn(character: str) -> bool:
    """Returns whether a character needs a glyph: spaces and marks of control need none."""
    return unicodedata.category(character)[0] != "Z" and unicodedata.category(character) not in (
        "Cc",
        "Cf",
        "Cs",
    )


def _any_has(paths: Sequence[str], character: str) -> bool:
    return any(_has_glyph(path, character) for path in paths)


@lru_cache(maxsize=100_000)
def _has_glyph(path: str, character: str) -> bool:
    from matplotlib.font_manager import get_font

    try:
        return bool(get_font(path).get_char_index(ord(character)))
    except (OSError, RuntimeError):  # a font that matplotlib cannot read
        return False


def _other_families(characters: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns further families that have some of the characters, and what stays without a glyph.

    A character of the private use area means something else in each font, so no font is tried.
    """
    found: list[str] = []
    left = [one for one in characters if unicodedata.category(one) != "Co"]
    private = [one for one in characters if unicodedata.category(one) == "Co"]
    for name, path in _all_fonts() if left else ():
        drawn = [one for one in left if _has_glyph(path, one)]
        if drawn:
            found.append(name)
            left = [one for one in left if one not in drawn]
        if not left:
            break
    return found, left + private


def _all_fonts() -> Iterator[tuple[str, str]]:
    """Yields the name and the file of every font on this machine."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    listed = {entry.fname for entry in fontManager.ttflist}
    for path in sorted(findSystemFonts()):
        if path not in listed:
            try:
                fontManager.addfont(path)
            except (OSError, RuntimeError):  # a font that matplotlib cannot read
                continue
    for entry in fontManager.ttflist:
        if not any(entry.name.startswith(name) or f" {name}" in entry.name for name in _NOT_TRIED):
            yield entry.name, entry.fname
