"""TFDS builders of our own corpora, none of which needs TensorFlow.

TFDS names a dataset after its class: `ZooPennTreebank` is `zoo_penn_treebank`. The prefix keeps
clear of the names that TFDS has or will have.

An example is a piece of text. The pieces of a split, one after the other, are its text.
"""

import dataclasses
import hashlib
import io
import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import requests
import tensorflow_datasets as tfds

from zoo.data.sources import SPLITS, STANDARD_FRACTIONS, WHOLE, split_lines
from zoo.data.text_reading import read_lines
from zoo.errors import UserError

_LINES_PER_EXAMPLE = 1000  # reading costs 30 us an example, whatever its size


@dataclasses.dataclass(eq=False)
class SourceFiles(tfds.core.BuilderConfig):
    """The user's files that a dataset is prepared from; `name` is their fingerprint.

    Args:
      files: split to file.
      fractions: how one file that holds all is divided.
    """

    files: dict[str, Path] = dataclasses.field(default_factory=dict)
    fractions: tuple[float, ...] = STANDARD_FRACTIONS


class _TextBuilder(
    tfds.core.GeneratorBasedBuilder,
    skip_registration=True,  # type: ignore[call-arg]
):
    """Prepares the text of three splits; reads it from `SourceFiles` unless told otherwise."""

    VERSION = tfds.core.Version("1.1.0")  # raise it when the same files make another text

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=type(self).__doc__,
            features=tfds.features.FeaturesDict({"text": tfds.features.Text()}),
            disable_shuffling=True,  # the order of a text is a part of it
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[int, dict[str, str]]]]:
        return {
            split: self._generate_examples(split, lines)
            for split, lines in self._read_splits(dl_manager).items()
        }

    def _generate_examples(
        self, split: str, lines: Iterable[str]
    ) -> Iterator[tuple[int, dict[str, str]]]:
        num_characters, blank = 0, True
        for key, piece in enumerate(self._cut(lines)):
            num_characters, blank = num_characters + len(piece), blank and not piece.strip()
            yield key, {"text": piece}
        if blank:
            raise UserError(
                f"split {split} of the corpus is empty ({num_characters} characters); "
                "use a longer text or other --config.data.fractions"
            )

    def _read_splits(
        self, dl_manager: tfds.download.DownloadManager
    ) -> Mapping[str, Iterable[str]]:
        """The lines of each split, a few in memory at a time; only a newline ends a line."""
        files = self.builder_config.files
        if WHOLE in files:
            return split_lines(_FileLines(files[WHOLE]), self.builder_config.fractions)
        return {split: _FileLines(files[split]) for split in SPLITS}

    def _cut(self, lines: Iterable[str]) -> Iterator[str]:
        """The pieces of a split's lines that become its examples."""
        remaining = iter(lines)
        while piece := "".join(itertools.islice(remaining, _LINES_PER_EXAMPLE)):
            yield piece


@dataclasses.dataclass(frozen=True)
class _FileLines:
    """The lines of a file, read anew by each loop over them."""

    path: Path

    def __iter__(self) -> Iterator[str]:
        return read_lines(self.path)


class ZooPythonDocs(_TextBuilder):
    """The language reference that CPython's help() shows, in sorted order of topics."""

    VERSION = tfds.core.Version(".".join(map(str, sys.version_info[:3])))  # its text differs

    def _read_splits(
        self, dl_manager: tfds.download.DownloadManager
    ) -> Mapping[str, Iterable[str]]:
        try:
            from pydoc_data.topics import topics
        except ImportError as error:
            raise UserError(
                "this Python came without pydoc_data, which corpus python_docs is made of; "
                "use a Python from python.org, or another --config.data.corpus"
            ) from error
        text = "\n\n".join(topics[key] for key in sorted(topics))
        lines = list(io.StringIO(text, newline="\n"))
        return split_lines(lines, STANDARD_FRACTIONS)


class ZooTextFile(_TextBuilder):
    """Any text of the user."""


class ZooPennTreebank(_TextBuilder):
    """Penn Treebank as prepared by Mikolov et al. 2010: a sentence a line."""

    def _cut(self, lines: Iterable[str]) -> Iterator[str]:
        return super()._cut(line.strip() + "\n" for line in lines if line.strip())


class ZooWikitext(_TextBuilder):
    """WikiText (Merity et al. 2016); its blank lines stay, since published figures score them."""

    def _cut(self, lines: Iterable[str]) -> Iterator[str]:
        return super()._cut(line.strip() + "\n" for line in lines)


class ZooTinyShakespeare(_TextBuilder):
    """Scenes of Shakespeare in one file, divided as TFDS' own tiny_shakespeare is."""

    URL = (
        "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
    )
    SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"

    def _read_splits(
        self, dl_manager: tfds.download.DownloadManager
    ) -> Mapping[str, Iterable[str]]:
        if self.builder_config:
            return super()._read_splits(dl_manager)
        advice = "put it into a directory as input.txt and use --config.data.directory=DIR"
        try:
            # Without a network the download manager would try for more than 100 seconds.
            requests.head(self.URL, timeout=5).raise_for_status()
            path = Path(dl_manager.download(self.URL))
        except (requests.RequestException, tfds.download.DownloadError, OSError) as error:
            reason = type(error).__name__
            raise UserError(f"cannot download {self.URL} ({reason}); {advice}") from error
        if hashlib.sha256(path.read_bytes()).hexdigest() != self.SHA256:
            raise UserError(f"{self.URL} is not the file it was (another checksum); {advice}")
        return split_lines(_FileLines(path), STANDARD_FRACTIONS)
