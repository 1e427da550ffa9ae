"""TFDS builders of parallel corpora, none of which needs TensorFlow; names as in `builders`.

An example is a sentence, its translation, and the alignment of their words: "0-1 1-0" says that
word 0 of the source is aligned with word 1 of the target, and word 1 with word 0.
"""

import dataclasses
from collections.abc import Iterable, Iterator

import tensorflow_datasets as tfds

from zoo.data import toy_german
from zoo.data.parallel_sources import PairFiles, read_pairs
from zoo.data.sources import WHOLE
from zoo.data.toy_german import AlignedPair
from zoo.errors import UserError


@dataclasses.dataclass(eq=False)
class ParallelFiles(tfds.core.BuilderConfig):
    """The user's files that a dataset is prepared from; `name` is their fingerprint.

    Args:
      files: split to files.
    """

    files: dict[str, PairFiles] = dataclasses.field(default_factory=dict)


class _ParallelBuilder(
    tfds.core.GeneratorBasedBuilder,
    skip_registration=True,  # type: ignore[call-arg]
):
    """Prepares sentences with their translations."""

    VERSION = tfds.core.Version("1.0.0")  # raise it when the same files make other examples

    def _info(self) -> tfds.core.DatasetInfo:
        text = tfds.features.Text()
        return tfds.core.DatasetInfo(
            builder=self,
            description=type(self).__doc__,
            features=tfds.features.FeaturesDict(
                {"source": text, "target": text, "alignment": text}
            ),
            disable_shuffling=True,  # batches are shuffled when they are made
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[int, dict[str, str]]]]:
        del dl_manager
        return {
            "train" if split == WHOLE else split: self._generate_examples(pairs)
            for split, pairs in self._read_splits().items()
        }

    def _generate_examples(
        self, pairs: Iterable[AlignedPair]
    ) -> Iterator[tuple[int, dict[str, str]]]:
        for key, (source, target, alignment) in enumerate(pairs):
            links = " ".join(f"{first}-{second}" for first, second in alignment)
            yield key, {"source": source, "target": target, "alignment": links}

    def _read_splits(self) -> dict[str, list[AlignedPair]]:
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

    def _read_splits(self) -> dict[str, list[AlignedPair]]:
        return toy_german.generate_splits(self.builder_config.name)
