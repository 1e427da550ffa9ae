"""The site is built without a warning, has everything, and can be read on any screen."""

import html.parser
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from browser import CHROMIUM, Browser
from tiny_run import ROOT

import zoo
from zoo.__main__ import COMMANDS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    pytest.importorskip("sphinx")
    pytest.importorskip("myst_parser")
    pytest.importorskip("furo")
    directory = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "sphinx", "-W", "-E", "-q"]
    done = subprocess.run(
        [*build, "docs", str(directory)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return directory


class Page(html.parser.HTMLParser):
    """The links and the anchors of a page, and what it loads."""

    def __init__(self, text: str):
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes what a tag says."""
        values = {name: value or "" for name, value in attrs}
        self.anchors.add(values.get("id", ""))
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag in ("script", "img") and "src" in values:
            self.loaded.append(values["src"])
        if tag == "link" and values.get("rel") == "stylesheet":
            self.loaded.append(values["href"])


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """All pages."""
    return {path: Page(path.read_text("utf-8")) for path in site.rglob("*.html")}


def test_a_heading_by_its_role_has_a_level(pages):
    texts = [path.read_text(encoding="utf-8") for path in pages]
    assert any('role="heading" aria-level="2"' in text for text in texts)
    assert not any('role="heading">' in text for text in texts)


def test_links_inside_lead_somewhere_and_nothing_is_loaded_from_elsewhere(
    pages: dict[Path, Page],
) -> None:
    for path, page in pages.items():
        for link in [*page.links, *page.loaded]:
            parts = urlparse(link)
            if parts.scheme:
                assert link in page.links, f"{path} loads {link}"
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), f"{path}: {link}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].anchors, f"{path}: {link}"


def test_every_public_name_and_every_command_has_an_anchor(
    site: Path, pages: dict[Path, Page]
) -> None:
    names = {f"zoo.{name}" for name in zoo.__all__} - {"zoo.__version__"}
    assert names <= pages[site / "reference/api.html"].anchors
    assert set(COMMANDS) <= pages[site / "reference/commands.html"].anchors


def test_modules_in_the_lecture_are_links_to_their_code(site: Path) -> None:
    lecture = (site / "lecture.html").read_text("utf-8")
    assert 'href="_modules/zoo/layers/cells/lstm.html"' in lecture
    assert "<math" in lecture
    assert "merror" not in lecture


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser, where there is one."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium")
    opened = Browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("name", ["index", "lecture", "results", "reference/fields"])
def test_a_page_fits_a_telephone_and_a_screen(
    site: Path, browser: Browser, name: str, width: int
) -> None:
    browser.open((site / f"{name}.html").as_uri(), width=width)
    assert browser.run("document.documentElement.scrollWidth") <= width
    colours = []
    for dark in (False, True):
        browser.open((site / f"{name}.html").as_uri(), width=width, dark=dark)
        found = browser.run("getComputedStyle(document.body).backgroundColor")
        colours.append(sum(map(int, re.findall(r"\d+", found)[:3])))
    assert colours[0] > 700
    assert colours[1] < 100
