"""TFDS builders of labelled corpora, none of which needs TensorFlow; names as in `builders`.

An example is a text and its labels, with a newline between two of them.
"""

import dataclasses
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import tensorflow_datasets as tfds

from zoo.data import topics
from zoo.data.labeled_sources import LABELED_SOURCES, Columns, Example
from zoo.data.sources import WHOLE
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


class _LabeledBuilder(
    tfds.core.GeneratorBasedBuilder,
    skip_registration=True,  # type: ignore[call-arg]
):
    """Prepares texts with their labels."""

    VERSION = tfds.core.Version("1.0.0")  # raise it when the same files make other examples

    def _info(self) -> tfds.core.DatasetInfo:
        text = tfds.features.Text()
        return tfds.core.DatasetInfo(
            builder=self,
            description=type(self).__doc__,
            features=tfds.features.FeaturesDict({"text": text, "labels": text}),
            disable_shuffling=True,  # batches are shuffled when they are made
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[int, dict[str, str]]]]:
        del dl_manager
        return {
            "train" if split == WHOLE else split: self._generate_examples(list(examples))
            for split, examples in self._read_splits().items()
        }

    def _generate_examples(self, examples: list[Example]) -> Iterator[tuple[int, dict[str, str]]]:
        for key, (text, labels) in enumerate(examples):
            yield key, {"text": text, "labels": "\n".join(labels)}

    def _read_splits(self) -> dict[str, Iterable[Example]]:
        config = self.builder_config
        read = LABELED_SOURCES[config.corpus].read
        return {split: read(path, config.columns) for split, path in config.files.items()}


class ZooLabeledFiles(_LabeledBuilder):
    """Labelled texts of the user."""


class ZooPythonDocsTopics(_LabeledBuilder):
    """Sentences of CPython's manual, labelled by the part of the language they are about."""

    VERSION = tfds.core.Version(  # the manual differs
        f"{sys.version_info.minor}.{sys.version_info.micro}.{topics.VERSION}"
    )

    def _read_splits(self) -> dict[str, Iterable[Example]]:
        try:
            from pydoc_data.topics import topics as manual
        except ImportError as error:
            raise UserError(
                "this Python came without pydoc_data, which corpus python_docs_topics is made of; "
                "use a Python from python.org, or another --config.data.corpus"
            ) from error
        sentences = topics.labeled_sentences(manual)
        return {"train": [Example(text, (label,)) for text, label in sentences]}
