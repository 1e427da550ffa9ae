"""TFDS builders of labelled corpora, none of which needs TensorFlow; names as in `builders`.

An example is a text and its labels, with a newline between two of them.
"""

import dataclasses
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import tensorflow_datasets as tfds

from zoo.data import topics
from zoo.data.example_builder import ExampleBuilder
from zoo.data.labeled_sources import LABELED_SOURCES
from zoo.data.tables import Columns, Example
from zoo.errors import UserError


@dataclasses.dataclass(eq=False)
class LabeledFiles(tfds.core.BuilderConfig):
    """The user's files that a dataset is prepared from; `name` is their fingerprint.

    Args:
      corpus: a name in `LABELED_SOURCES`.
      files: split to file.
      columns: where a table holds what.
    """

    corpus: str = ""
    files: dict[str, Path] = dataclasses.field(default_factory=dict)
    columns: Columns = dataclasses.field(default_factory=Columns)


class _LabeledBuilder(ExampleBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Prepares texts with their labels."""

    FIELDS = ("text", "labels")

    def to_texts(self, example: Example) -> tuple[str, ...]:
        """Return the text, and its labels in one."""
        return example.text, "\n".join(example.labels)

    def read_splits(self) -> Mapping[str, Iterable[Example]]:
        """Return the examples of each split."""
        config = self.builder_config
        read = LABELED_SOURCES[config.corpus].read
        return {split: read(path, config.columns) for split, path in config.files.items()}


class ZooLabeledFiles(_LabeledBuilder):
    """Labelled texts of the user, rows to be skipped among them: these have no label."""

    VERSION = tfds.core.Version("1.1.0")  # raise it when the same files make other examples


class ZooPythonDocsTopics(_LabeledBuilder):
    """Sentences of CPython's manual, labelled by the part of the language they are about."""

    VERSION = tfds.core.Version(  # the manual differs
        f"{sys.version_info.minor}.{sys.version_info.micro}.{topics.VERSION}"
    )

    def read_splits(self) -> Mapping[str, Iterable[Example]]:
        """Return the examples of each split."""
        try:
            from pydoc_data.topics import topics as manual
        except ImportError as error:
            raise UserError(
                "this Python came without pydoc_data, which corpus python_docs_topics is made of; "
                "use a Python from python.org, or another --config.data.corpus"
            ) from error
        sentences = topics.labeled_sentences(manual)
        return {"train": [Example(text, (label,)) for text, label in sentences]}
