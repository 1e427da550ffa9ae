"""Corpora by name. A corpus is a file in this directory, or a function in a script of the user.

A file here registers its corpora itself; docs/add_a_corpus.md shows how to write one.

Example:
    >>> find_corpus("trec", Labeled).files["test"]
    'test.txt'
"""

import dataclasses
import difflib
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial
from typing import Any

from zoo.data.examples import KINDS, Example, Labeled, Pair, Tagged, Text, check_example
from zoo.data.splits import SPLITS, WHOLE
from zoo.data.text_reading import Lines, readable
from zoo.errors import UserError
from zoo.types import Json

__all__ = [
    "Corpus", "Labeled", "Lines", "Pair", "Tagged", "Text", "files_of_splits", "find_corpus",
    "list_corpora", "register_corpus"
]  # fmt: skip

TFDS_PREFIX = "tfds:"

_CORPORA: dict[str, "Corpus"] = {}


@dataclasses.dataclass(frozen=True)
class Corpus:
    """A corpus: its files, their origin, and the function that turns lines into examples.

    Attributes:
        name: the name in configs.
        read: the function that yields the examples of the `Lines` of a split. Each keyword-only
            argument gets the field of the section `data` with the same name. If the corpus has no
            files, the function takes no lines and returns a dictionary with the examples of each
            split. If it raises a ValueError, the user gets a UserError with file and line.
        gives: the class of the examples: `Text`, which is `str`, `Labeled`, `Pair` or
            `Tagged`.
        files: for each split the name of its file in the user's directory, or a tuple of names that
            the file may have. The key "whole" may replace all splits by one file with all
            examples. Any other key names a further file, which is in `Lines.others`.
        origin: the place where the files can be found, for errors.
        optional: the splits whose file may be missing.
        one_file: the suffixes of files with all examples that `data.directory` may name.
        languages: the fields of the section `data` that name the languages of texts side by side.
            Each name in `files` then stands for two files, NAME.SOURCE and NAME.TARGET.
        keep_blank: whether blank lines belong to the corpus.
        multiple: whether a text may have several labels.
        url: the address of the only file, which is downloaded if no directory is given.
        sha256: the checksum of the downloaded file.
        version: any text. Change it if the same files give other examples, so that they are read
            again. A change of the function itself is noticed without it.
    """

    name: str
    read: Callable[..., Any]
    gives: type = Text
    files: Mapping[str, str | tuple[str, ...]] = dataclasses.field(default_factory=dict)
    origin: str = ""
    optional: tuple[str, ...] = ()
    one_file: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    keep_blank: bool = False
    multiple: bool = False
    url: str = ""
    sha256: str = ""
    version: str = ""

    @property
    def needed(self) -> tuple[str, ...]:
        """The splits that the corpus must have, because they cannot be drawn."""
        return SPLITS if self.gives is Text else ("train",)

    def options(self, config: object) -> Json:
        """Returns the fields of a section `data` that are arguments of the function."""
        parameters = inspect.signature(self.read).parameters.values()
        names = (one.name for one in parameters if one.kind is one.KEYWORD_ONLY)
        return {name: getattr(config, name) for name in names}

    def code(self) -> str:
        """Returns the source code of the function, or "" if it is not available."""
        try:
            return inspect.getsource(self.read)
        except (OSError, TypeError):
            return ""

    def examples(self, lines: Lines, options: Json) -> Iterator[Example]:
        """Yields the examples of lines.

        Raises:
            UserError: the function raises a ValueError, a LookupError or a RuntimeError, or yields
                an object that is not an example. The error names the file and the line.
        """
        return self._checked(partial(self.read, lines, **options), lines.place)

    def generated(self, options: Json) -> dict[str, Iterator[Example]]:
        """Returns the examples of each split of a corpus without files."""
        made = self.read(**options)
        if not isinstance(made, Mapping) or not made.keys() >= set(self.needed):
            raise UserError(
                f"corpus {self.name} has no files, so its function must return a dictionary with "
                f"the examples of {', '.join(self.needed)}; it returned {str(made)[:80]}"
            )
        return {
            split: self._checked(partial(iter, given), partial("split {}".format, split))
            for split, given in made.items()
        }

    def _checked(
        self, read: Callable[[], Iterable[Example]], place: Callable[[], str]
    ) -> Iterator[Example]:
        try:
            with readable(place()):
                for example in read():
                    check_example(example, self.gives)
                    yield example
        except UserError:
            raise
        except (LookupError, RuntimeError, ValueError) as error:
            kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
            raise UserError(f"{place()}: {kind}{' '.join(str(error).split())}") from error


def register_corpus(name: str, **settings: Any) -> Callable[[Callable[..., Any]], Any]:
    """Registers a corpus under a name, for `data.corpus=NAME`.

    Use it as a decorator of the function that turns lines into examples, in a config file or a
    script. A corpus may be registered again, for example when a notebook's cell is run twice. The
    names of the zoo's own corpora are taken.

    Args:
        name: the name in configs, of letters, digits and underscores.
        settings: the other attributes of `Corpus`, such as gives, files and origin.

    Raises:
        UserError: the name is taken, or the settings do not make a corpus.

    Example:
        >>> @register_corpus("verses", files={"whole": "verses.txt"}, origin="my shelf")
        ... def verses(lines):
        ...     for line in lines:
        ...         yield line.lower()
    """

    def register(read: Callable[..., Any]) -> Callable[..., Any]:
        taken = () if _is_own(read) else _own_names()
        if name in taken or not re.fullmatch(r"\w+", name, re.ASCII):
            raise UserError(
                f"a corpus cannot be registered as {name!r}; use letters, digits and underscores, "
                f"and a name that is none of {', '.join(taken)}"
            )
        corpus = Corpus(name, read, **settings)
        _check(corpus)
        _CORPORA[name] = corpus
        return read

    return register


def files_of_splits(suffixes: Iterable[str], **more: str) -> dict[str, tuple[str, ...]]:
    """Returns the allowed names of the files of a user's corpus, for `Corpus.files`.

    Args:
        suffixes: the allowed ends of the names.
        **more: a further name for a split.

    Example:
        >>> files_of_splits([".txt"], test="exam.txt")["test"]
        ('test.txt', 'exam.txt')
    """
    stems = {"train": ("train",), "validation": ("validation", "valid", "dev"), "test": ("test",)}
    return {
        split: (
            *(stem + suffix for stem in own for suffix in suffixes),
            *([more[split]] if split in more else []),
        )
        for split, own in stems.items()
    }


def _is_own(read: Callable[..., object]) -> bool:
    return read.__module__.startswith(f"{__name__}.")


def is_registered(name: str) -> bool:
    """Returns whether a corpus is known, and is none of the zoo's own.

    Example:
        >>> is_registered("text_file")
        False
    """
    return name in _CORPORA and not _is_own(_CORPORA[name].read)


@cache
def _own_names() -> tuple[str, ...]:
    """Imports the files of the zoo's own corpora, and returns their names."""
    for file in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{file.name}")
    return tuple(sorted(n for n, corpus in _CORPORA.items() if _is_own(corpus.read)))


def _check(corpus: Corpus) -> None:
    """Raises a UserError if the settings cannot give the splits of a corpus."""
    if corpus.gives not in KINDS:
        kinds = ", ".join(kind.__name__ for kind in KINDS)
        raise UserError(f"corpus {corpus.name} gives {corpus.gives!r}; use one of {kinds}")
    if corpus.files and WHOLE not in corpus.files and not corpus.files.keys() >= set(corpus.needed):
        raise UserError(
            f"corpus {corpus.name} has files for {', '.join(corpus.files)}; name files for "
            f"{', '.join(corpus.needed)}, or one file for {WHOLE}"
        )


def list_corpora(gives: type = Text) -> list[str]:
    """Returns the names of the corpora that give examples of a class, in alphabetical order.

    Example:
        >>> list_corpora()[:3]
        ['penn_treebank', 'python_docs', 'text_file']
    """
    _own_names()
    return sorted(name for name, corpus in _CORPORA.items() if corpus.gives is gives)


def find_corpus(name: str, gives: type) -> Corpus:
    """Returns the corpus with a name.

    Args:
        name: the name.
        gives: the class of examples that it must give.

    Raises:
        UserError: there is no such corpus. The error lists the known corpora.

    Example:
        >>> find_corpus("wikitext", Text).files["train"]
        'wiki.train.tokens'
    """
    known = list_corpora(gives)
    if name in _CORPORA and _CORPORA[name].gives is gives:
        return _CORPORA[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else "."
    raise UserError(
        f"corpus {name!r} is none of {', '.join(known)} or {TFDS_PREFIX}NAME{hint} "
        f"A corpus of your own must be registered first: zoo.register_corpus({name!r}, ...)"
    )
