"""Names in the source of Python's standard library, each with its role; it needs no file.

A sentence has the names of neighbouring lines, up to a blank line or `_LONGEST` names. The tags are
`zoo.data.python_roles.ROLES`; that module explains why a sentence has only names. Another version
of Python has another source, so scores of two versions cannot be compared. A module that a version
lacks is left out, and no module ever changes its split.
"""

import sys
import sysconfig
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from zoo.data.corpora import Tagged, register_corpus
from zoo.data.python_roles import Line, read_names
from zoo.errors import UserError

ORIGIN = "the source of the standard library, a part of CPython"
MODULES = {
    "train": "_collections_abc _markupbase _pydatetime _pydecimal _pyio _strptime ast asyncio "
    "base64 bdb bz2 cmd code collections compileall concurrent contextlib copy ctypes "
    "dataclasses datetime dbm dis doctest email enum filecmp fileinput fnmatch ftplib "
    "functools gettext getopt glob graphlib gzip hashlib hmac http imaplib importlib "
    "inspect io ipaddress linecache locale logging lzma mailbox mimetypes modulefinder "
    "multiprocessing netrc ntpath operator optparse os pathlib pdb pickle pickletools "
    "pkgutil platform plistlib poplib posixpath profile pstats pyclbr pydoc quopri re "
    "reprlib runpy sched shelve shutil site socket ssl string subprocess symtable "
    "sysconfig timeit tokenize tomllib trace tracemalloc types typing unittest urllib "
    "venv warnings wave webbrowser wsgiref xml xmlrpc zipimport zoneinfo",
    "validation": "argparse csv fractions html json queue shlex socketserver tempfile threading "
    "traceback weakref zipfile",
    "test": "calendar codecs configparser difflib heapq pprint random selectors smtplib statistics "
    "tarfile textwrap uuid",
}

_LONGEST = 40  # the most names of a sentence
_SHORTEST = 3  # the fewest names of a sentence
_TESTS = {"test", "tests"}  # directories in packages


# Raise the first number of the version when the same sources give other sentences or roles.
@register_corpus(
    "python_source_roles",
    gives=Tagged,
    origin=ORIGIN,
    version=f"2 {'.'.join(map(str, sys.version_info[:3]))}",
)
def python_source_roles() -> Mapping[str, Iterable[Tagged]]:
    """Returns the sentences of each split, without repeated sentences."""
    seen: set[Tagged] = set()
    return {split: _unseen(sentences_of(names.split()), seen) for split, names in MODULES.items()}


def _unseen(sentences: Iterable[Tagged], seen: set[Tagged]) -> Iterator[Tagged]:
    for sentence in sentences:
        if sentence not in seen:
            seen.add(sentence)
            yield sentence


def sentences_of(modules: Iterable[str]) -> Iterator[Tagged]:
    """Yields the sentences of modules and packages of the standard library.

    Args:
        modules: the names of the modules. A module that this Python lacks is left out.

    Raises:
        UserError: this Python has no source of any of the modules.
    """
    place = Path(sysconfig.get_path("stdlib"))
    files = [path for name in modules for path in _files_of(place, name)]
    if not files:
        raise UserError(
            f"{place} has no source of the standard library, which corpus python_source_roles is "
            "made of; use a Python from python.org, or another data.corpus=NAME"
        )
    for path in files:
        with tokenize.open(path) as file:
            yield from sentences(file.read())


def _files_of(place: Path, module: str) -> list[Path]:
    """Returns the sources of a module or package, without tests."""
    found = [place / f"{module}.py", *sorted((place / module).rglob("*.py"))]
    return [
        path
        for path in found
        if path.is_file() and not _TESTS.intersection(path.relative_to(place).parts)
    ]


def sentences(source: str) -> Iterator[Tagged]:
    """Yields the sentences of a module.

    Args:
        source: the module.

    Example:
        >>> [sentence] = sentences("import os\\nprint(os.name)\\n\\nx = 1")
        >>> sentence.tokens, sentence.tags
        (('os', 'print', 'os', 'name'), ('import', 'call', 'object', 'attribute'))
    """
    physical = source.split("\n")
    names: list[tuple[str, str]] = []
    end = 0

    def is_new(line: Line) -> bool:
        apart = any(not text.strip() for text in physical[end : line.start - 1])
        return apart or len(names) + len(line.names) > _LONGEST

    for line in read_names(source):
        if is_new(line):
            yield from _cut(names)
            names = []
        names += zip(line.names, line.roles, strict=True)
        end = line.end
    yield from _cut(names)


def _cut(names: list[tuple[str, str]]) -> Iterator[Tagged]:
    """Yields names as sentences of at most `_LONGEST` names; too short sentences are dropped."""
    for start in range(0, len(names), _LONGEST):
        part = names[start : start + _LONGEST]
        if len(part) >= _SHORTEST:
            yield Tagged(*zip(*part, strict=True))
