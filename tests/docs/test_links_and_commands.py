"""What pages link to is there, and what they tell people to type is accepted."""

import importlib.util
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from pages import PAGES, commands_of
from tiny_run import ROOT, read_config

from zoo.__main__ import _parser
from zoo.training.config import base_config

USER_FILES = ("leaky.py", "sms_spam.py")  # which pages show
TRAIN_FLAGS = {
    "workdir",
    "allow_config_change",
    "distributed",
    "coordinator",
    "num_processes",
    "process_id",
}
COMMANDS = [
    (path, command) for path in PAGES for command in commands_of(path) if "python" in command
]


def slug(title: str) -> str:
    """The anchor of a heading."""
    kept = re.sub(r"[^\w\- ]", "", title.strip().lower().replace("`", ""))
    return kept.replace(" ", "-")


def anchors_of(path: Path) -> set[str]:
    """The anchors of a page, without those of its generated parts."""
    text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    return {slug(title) for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        name, _, anchor = target.partition("#")
        linked = path.parent / name if name else path
        assert linked.exists(), target
        if anchor and linked.suffix == ".md" and "<!-- made" not in linked.read_text("utf-8"):
            assert anchor in anchors_of(linked), target


@pytest.mark.parametrize(
    ("path", "command"), COMMANDS, ids=[f"{path.stem}-{n}" for n, (path, _) in enumerate(COMMANDS)]
)
def test_commands_are_accepted(path: Path, command: str) -> None:
    words = shlex.split(re.split(r" [|>&]|  #", command)[0])
    if words[:3] == ["python", "-m", "zoo"]:
        if words[3:] != ["--version"]:
            _parser().parse_args(words[3:])
    elif "train.py" in words:
        check_training(words[words.index("train.py") + 1 :])
    elif words[0] == "python" and words[1] not in ("-c", "-m"):
        assert (ROOT / words[1]).exists(), command


def check_training(words: list[str]) -> None:
    """Every field that a training sets is there, and takes the value."""
    flags = dict(word.removeprefix("--").partition("=")[::2] for word in words if word != "...")
    file = flags.pop("config", "CONFIG")
    if file == "CONFIG":
        return
    config = base_config("classifier") if file in USER_FILES else read_config(ROOT / file)
    for name, value in flags.items():
        if name.startswith("config."):
            _, section, field = name.split(".")
            default = config[section][field]
            assert isinstance(default, str | tuple | bool) or float(value) is not None
        else:
            assert name in TRAIN_FLAGS, name


def test_extras_that_pages_install_are_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    for path in PAGES:
        for names in re.findall(r"'\.\[([\w,]+)\]'", path.read_text("utf-8")):
            assert set(names.split(",")) <= set(extras), names
    inner = re.findall(r"recurrent-zoo\[([\w,]+)\]", str(extras))
    assert all(set(names.split(",")) <= set(extras) for names in inner)


def test_the_workflows_run_what_is_there() -> None:
    assert importlib.util.find_spec("sphinx") is None or (ROOT / "docs" / "conf.py").exists()
    workflows = {path.name: path.read_text("utf-8") for path in (ROOT / ".github").rglob("*.yml")}
    assert "run: .ci/run" in workflows["ci.yml"]
    assert "run: sphinx-build -W -E docs build/site" in workflows["site.yml"]
    assert "sphinx-build -W -E docs build/site" in (ROOT / "README.md").read_text("utf-8")


def test_every_page_stands_in_a_list_of_pages() -> None:
    docs = ROOT / "docs"
    listed = {"index"}
    for path in docs.rglob("*.md"):
        for tree in re.findall(r"```\{toctree\}\n(.*?)```", path.read_text("utf-8"), re.DOTALL):
            names = [line for line in tree.splitlines() if line and not line.startswith(":")]
            listed |= {(path.parent / name).relative_to(docs).as_posix() for name in names}
    pages = {path.relative_to(docs).with_suffix("").as_posix() for path in docs.rglob("*.md")}
    assert pages == listed, "add the page to a toctree of docs/index.md"
