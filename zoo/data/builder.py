"""The TFDS builder of all corpora; it needs no TensorFlow."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

import tensorflow_datasets as tfds


@dataclasses.dataclass(eq=False)
class Prepared(tfds.core.BuilderConfig):
    """One prepared corpus, named after the corpus and its fingerprint.

    Attributes:
        splits: the blocks of examples of each split; empty if the corpus is prepared already.
    """

    splits: Mapping[str, Iterable[str]] = dataclasses.field(default_factory=dict)


class ZooCorpora(
    tfds.core.GeneratorBasedBuilder,
    skip_registration=True,  # type: ignore[call-arg]
):
    """The builder of all corpora; it writes blocks of examples in JSON, see `zoo.data.stored`."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=type(self).__doc__,
            features=tfds.features.FeaturesDict({"examples": tfds.features.Text()}),
            disable_shuffling=True,  # the order of a text is a part of it
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[int, dict[str, str]]]]:
        del dl_manager
        splits = self.builder_config.splits
        return {split: self._generate_examples(blocks) for split, blocks in splits.items()}

    def _generate_examples(self, blocks: Iterable[str]) -> Iterator[tuple[int, dict[str, str]]]:
        for key, block in enumerate(blocks):
            yield key, {"examples": block}
