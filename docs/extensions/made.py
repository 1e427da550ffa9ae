"""Parts of pages that are made from the code: `<!-- made: NAME ARGUMENTS -->` in a page.

Each function here returns Markdown. Sphinx puts it in place of the comment when it reads the page,
so that a page never differs from the code.
"""

import argparse
import ast
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import zoo

ROOT = Path(__file__).parents[2]
_MADE = re.compile(r"^<!-- made: (\w+)(.*?) -->$", re.MULTILINE)


def expand(text: str) -> str:
    """Returns a page with its comments replaced."""
    return _MADE.sub(lambda match: PARTS[match[1]](*match[2].split()), text)


def names(*wanted: str) -> str:
    """Returns the reference of public names of `zoo`."""
    made = []
    for name in wanted:
        kind = "class" if inspect.isclass(getattr(zoo, name)) else "function"
        kind = "exception" if name == "UserError" else kind
        made += [f".. auto{kind}:: zoo.{name}", *(["   :members:"] if kind == "class" else []), ""]
    return _rst(made)


def modules(room: str) -> str:
    """Returns the reference of all modules of a room, such as `layers`, or of `zoo` itself."""
    options = ("   :members:", "   :ignore-module-all:")  # a name stands in its own module only
    made = []
    for name in module_names(room):
        made += [f"## {name}\n", _rst([f".. automodule:: {name}", *options])]
    return "\n".join(made)


def module_names(room: str) -> list[str]:
    """Returns the modules of a package in zoo/; "zoo" stands for the modules beside them."""
    paths = zoo.__path__
    if room == "zoo":
        found = [f"zoo.{one.name}" for one in pkgutil.iter_modules(paths) if not one.ispkg]
        return [name for name in found if not name.endswith("__main__")]
    walked = pkgutil.walk_packages([str(Path(paths[0]) / room)], f"zoo.{room}.")
    return [f"zoo.{room}", *(one.name for one in walked)]


def _rst(lines: Iterable[str]) -> str:
    return "\n".join(["```{eval-rst}", *lines, "```", ""])


def commands() -> str:
    """Returns all commands of `python -m zoo` with their arguments."""
    made = []
    for name, parser in parsers().items():
        usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
        made += [
            f"## {name}\n",
            f"{_sentence(parser.description or '')}\n",
            f"```bash\n{usage}\n```\n",
        ]
        made += [_argument(parser, one) for one in parser._actions if one.dest != "help"]
        made += [f"```text\n{(parser.epilog or '').rstrip()}\n```\n"]
    return "\n".join(made)


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Returns the parser of each command."""
    from zoo.__main__ import _parser

    actions = _parser()._actions
    (commands,) = (one for one in actions if isinstance(one, argparse._SubParsersAction))
    return dict(commands.choices)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _argument(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    title = ", ".join(action.option_strings) or str(action.metavar or action.dest)
    takes = "" if action.nargs == 0 or not action.option_strings else _value(action)
    told = parser._get_formatter()._expand_help(action) if action.help else ""
    return f"`{title}{takes}`\n: {plain(_sentence(told))}\n"


def _value(action: argparse.Action) -> str:
    if action.choices:
        return f"={{{','.join(map(str, action.choices))}}}"
    return f"={action.metavar or action.dest.upper()}"


def fields() -> str:
    """Returns the fields of all configs with their defaults, a list for each record."""
    from zoo.training.config_fields import record_fields

    made = []
    for (section, record), architectures in records().items():
        used = ", ".join(f"`{one}`" for one in architectures)
        made += [f"## {section} of {' and '.join(architectures)}\n" if section else ""]
        made += [f"A config of {used} has these fields in its section `{section}`.\n"]
        for name, default, told in record_fields(record):
            made.append(f"`{section}.{name}` = `{default!r}`\n: {plain(_sentence(told))}\n")
    return "\n".join(made)


def records() -> dict[tuple[str, type], list[str]]:
    """Returns the records of all sections, each with the architectures that have it."""
    from zoo.training.config import SECTIONS, section_records

    found: dict[tuple[str, type], list[str]] = {}
    for architecture in zoo.list_models():
        for section, record in section_records(architecture).items():
            found.setdefault((section, record), []).append(architecture)
    return dict(sorted(found.items(), key=lambda item: SECTIONS.index(item[0][0])))


def plain(text: str) -> str:
    """Returns a text in which nothing but names in backticks is Markdown."""
    pieces = re.split(r"(`[^`]+`)", text)
    pieces[::2] = [re.sub(r"([\\*_<>\[\]$|])", r"\\\1", piece) for piece in pieces[::2]]
    return "".join(pieces)


def models() -> str:
    """Returns the cards of the released checkpoints."""
    from zoo.cards import MARKDOWN
    from zoo.hub import list_checkpoints

    made = ["| name | what it is |", "|---|---|"]
    released = list_checkpoints()
    made += [f"| [`{one.name}`](#{one.name}) | {one.summary} |" for one in released]
    for one in released:
        title, _, rest = (one.directory / MARKDOWN).read_text().partition("\n")
        rest = rest.replace(" NAME", f" {one.name}").replace("<unk>", "&lt;unk&gt;")
        made += [f"\n## {one.name}\n", f"{title.removeprefix('# ')}. {rest.strip()}\n"]
    return "\n".join(made)


def corpora() -> str:
    """Returns the corpora by name."""
    from zoo.data.corpora import find_corpus, list_corpora
    from zoo.data.examples import KINDS

    made = []
    for gives, title in KINDS.items():
        made += [f"## {_sentence(title)[:-1]}\n", "| name | files in `data.directory` | origin |"]
        made += ["|---|---|---|"]
        for name in list_corpora(gives):
            corpus = find_corpus(name, gives)
            files = ", ".join(_file(key, file) for key, file in corpus.files.items())
            made.append(f"| `{name}` | {files or 'none'} | {plain(corpus.origin)} |")
        made.append("")
    return "\n".join(made)


def _file(split: str, file: str | tuple[str, ...]) -> str:
    return f"{split}: `{file if isinstance(file, str) else '` or `'.join(file)}`"


def configs() -> str:
    """Returns what each file in configs/ trains, in its own words."""
    made = []
    for path in sorted((ROOT / "configs").glob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        functions = [one for one in tree.body if isinstance(one, ast.FunctionDef)]
        (function,) = (one for one in functions if one.name == "get_config")
        head, _, rest = (ast.get_docstring(tree) or "").partition("\n")
        made += [f"## {path.stem}\n", f"{plain(head)} {plain(ast.get_docstring(function) or '')}\n"]
        rest = re.sub(r"(?<=\S) {4,}", " \\\\\n        ", rest.strip("\n"))
        made += [f"```text\n{rest}\n```\n"]
    return "\n".join(made)


def file(name: str) -> str:
    """Returns a page at the top of the repository, with its links as they are from docs/."""
    text = (ROOT / name).read_text("utf-8")
    return re.sub(r"\]\((?!https?:|#)(docs/)?", lambda link: "](" if link[1] else "](../", text)


PARTS: dict[str, Callable[..., str]] = {
    made.__name__: made
    for made in (names, modules, commands, fields, models, corpora, configs, file)
}


def setup(app: Any) -> dict[str, bool]:
    """Connects the extension to Sphinx."""

    def read(app: Any, page: str, source: list[str]) -> None:
        source[0] = expand(source[0])

    app.connect("source-read", read)
    return {"parallel_read_safe": True}
