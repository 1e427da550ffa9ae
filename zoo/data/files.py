"""The files of a corpus, which are found in the user's directory or downloaded."""

import contextlib
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from zoo.buckets import cached_copy, is_address
from zoo.data.config import SharedDataConfig
from zoo.data.corpora import Corpus
from zoo.data.splits import WHOLE
from zoo.data.text_reading import checksum, readable, user_path
from zoo.errors import UserError
from zoo.kept import cache_root
from zoo.types import Json

_SECONDS = 5  # the longest time that a server may take to answer
_CHUNK_BYTES = 1 << 18

Files = Mapping[str, tuple[Path, ...]]


def find_files(corpus: Corpus, config: SharedDataConfig) -> dict[str, tuple[Path, ...]]:
    """Returns the files of a corpus in the user's directory.

    Args:
        corpus: the corpus.
        config: a record of the section `data`, with the directory and the languages. A directory
            in a bucket, such as gs://BUCKET/TEXTS, is copied to the cache first.

    Returns:
        For each key of `Corpus.files` the path of its file, or of its two files. The only key is
        `WHOLE` if the user named one file.

    Raises:
        UserError: no directory was given, a file is missing, or a split has several files.
    """
    ends = ["." + getattr(config, field) for field in corpus.languages] or [""]
    wanted = _wanted(corpus, ends)
    if not config.directory:
        raise UserError(
            f"corpus {corpus.name} needs {wanted} but no directory was given; "
            "use data.directory=DIR"
        )
    if is_address(config.directory):
        folder = cached_copy(config.directory, cache_root(config.cache_directory) / "buckets")
    else:
        folder = user_path(config.directory)
    with readable(folder):
        if not folder.is_dir():
            if corpus.one_file and folder.exists():
                return {WHOLE: (folder,)}
            if corpus.one_file and folder.name.endswith(corpus.one_file):
                raise UserError(
                    f"{folder} is missing; put it there, or use data.directory=DIR with {wanted}"
                )
            if folder.exists():
                raise UserError(
                    f"{folder} is not a directory; corpus {corpus.name} needs a directory "
                    f"with {wanted}"
                )
        files = {key: _choose(folder, stems, ends) for key, stems in corpus.files.items()}
        for key, paths in tuple(files.items()):
            missing = [path for path in paths if not path.exists()]
            if len(missing) == len(paths) and key in corpus.optional:
                del files[key]
            elif missing:
                advice = f"put it there, or use data.directory=DIR with {wanted}"
                raise UserError(f"{missing[0]} is missing; {advice}")
    return files


def _choose(folder: Path, stems: str | tuple[str, ...], ends: list[str]) -> tuple[Path, ...]:
    """Returns the files of the only name that has a file, or of the first name if none has.

    Raises:
        UserError: several names have a file, so that all but one would be ignored. A packed copy of
            a file is no other file.
    """
    named = [tuple(_there(folder / (stem + end)) for end in ends) for stem in _alternatives(stems)]
    found: dict[str, tuple[Path, ...]] = {}
    for paths in named:
        if there := [path.name.removesuffix(".gz") for path in paths if path.exists()]:
            found.setdefault(there[0], paths)
    if len(found) > 1:
        first, second, *_ = [next(filter(Path.exists, paths)) for paths in found.values()]
        raise UserError(
            f"{folder} has {first.name} and {second.name} for the same split; keep one of them in "
            "this directory"
        )
    return next(iter(found.values()), named[0])


def _there(path: Path) -> Path:
    """Returns a path, or the path of its packed copy if only that is there."""
    packed = path.with_name(f"{path.name}.gz")
    return packed if packed.exists() and not path.exists() else path


def _alternatives(names: str | tuple[str, ...]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names


def _wanted(corpus: Corpus, ends: list[str]) -> str:
    """Returns the names of the files that a corpus needs, and their origin."""
    stems = [_alternatives(n)[0] for key, n in corpus.files.items() if key not in corpus.optional]
    origin = f" ({corpus.origin})" if corpus.origin else ""
    return ", ".join(stem + end for stem in stems for end in ends) + origin


def fingerprint(corpus: Corpus, files: Files, options: Json) -> str:
    """Returns 16 hexadecimal digits that change when the examples of a corpus may change.

    Args:
        corpus: the corpus; its function and its version are part of the fingerprint.
        files: the files from `find_files`; their names and contents are part of the fingerprint. A
            file that is yet to be downloaded is not among them: the corpus has its checksum.
        options: the settings that the examples depend on.
    """
    rows = [corpus.code(), corpus.version, corpus.sha256, repr(sorted(options.items()))]
    digest = hashlib.sha256("\0".join(rows).encode("utf-8", "surrogateescape"))
    for key, paths in sorted(files.items()):
        for path in paths:
            digest.update(os.fsencode(f"{key}\0{path.name}\0") + checksum(path))
    return digest.hexdigest()[:16]


def download(corpus: Corpus, directory: Path) -> Files:
    """Downloads the only file of a corpus into a directory.

    Args:
        corpus: a corpus with a url.
        directory: where to put the file.

    Raises:
        UserError: the file cannot be downloaded, or its checksum differs from the corpus' checksum.
    """
    import requests

    [(key, name)] = corpus.files.items()
    path = directory / str(name)
    advice = f"put it into a directory as {name} and use data.directory=DIR"
    try:
        with contextlib.closing(requests.get(corpus.url, timeout=_SECONDS, stream=True)) as answer:
            answer.raise_for_status()
            with path.open("wb") as file:
                file.writelines(answer.iter_content(_CHUNK_BYTES))
    except (requests.RequestException, OSError) as error:
        reason = type(error).__name__
        raise UserError(f"cannot download {corpus.url} ({reason}); {advice}") from error
    if checksum(path).hex() != corpus.sha256:
        raise UserError(f"{corpus.url} has changed (its checksum differs); {advice}")
    return {key: (path,)}
