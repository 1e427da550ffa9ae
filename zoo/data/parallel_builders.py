"""TFDS builders of parallel corpora, none of which needs TensorFlow; names as in `builders`.

An example is a sentence, its translation, and the alignment of their words: "0-1 1-0" says that
word 0 of the source is aligned with word 1 of the target, and word 1 with word 0.
"""

import dataclasses
from collections.abc import Iterable, Mapping

import tensorflow_datasets as tfds

from zoo.data import toy_german
from zoo.data.example_builder import ExampleBuilder
from zoo.data.parallel_sources import PairFiles, read_pairs
from zoo.data.toy_german import AlignedPair
from zoo.errors import UserError


@dataclasses.dataclass(eq=False)
class ParallelFiles(tfds.core.BuilderConfig):
    """The user's files that a dataset is prepared from; `name` is their fingerprint.

    Args:
      files: split to files.
    """

    files: dict[str, PairFiles] = dataclasses.field(default_factory=dict)


class _ParallelBuilder(ExampleBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Prepares sentences with their translations."""

    FIELDS = ("source", "target", "alignment")

    def to_texts(self, example: AlignedPair) -> tuple[str, ...]:
        """Return the sentence, its translation, and the links of their words in one text."""
        links = " ".join(f"{first}-{second}" for first, second in example.alignment)
        return example.source, example.target, links

    def read_splits(self) -> Mapping[str, Iterable[AlignedPair]]:
        """Return the pairs of each split."""
        splits = {}
        for split, files in self.builder_config.files.items():
            splits[split] = [AlignedPair(*pair, ()) for pair in read_pairs(files)]
            if not splits[split]:
                raise UserError(f"{files.source} has no sentence pair; put some into it")
        return splits


class ZooParallelFiles(_ParallelBuilder):
    """Parallel texts of the user."""


class ZooToyLanguages(_ParallelBuilder):
    """Sentence pairs of our grammar; the config's name is the language."""

    VERSION = tfds.core.Version(f"{toy_german.VERSION}.0.0")
    BUILDER_CONFIGS = [  # noqa: RUF012 as TFDS has it
        tfds.core.BuilderConfig(name=language) for language in toy_german.LANGUAGES
    ]

    def read_splits(self) -> Mapping[str, Iterable[AlignedPair]]:
        """Return the pairs of each split."""
        return toy_german.generate_splits(self.builder_config.name)
