"""What the TFDS builders of labelled and parallel corpora have in common."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

import tensorflow_datasets as tfds

from zoo.data.sources import WHOLE


class ExampleBuilder(
    tfds.core.GeneratorBasedBuilder,
    skip_registration=True,  # type: ignore[call-arg]
):
    """Prepares splits of examples whose fields are texts.

    A subclass says which fields there are, reads the splits and writes an example as its fields.
    """

    VERSION = tfds.core.Version("1.0.0")  # raise it when the same files make other examples
    FIELDS: ClassVar[tuple[str, ...]]

    def read_splits(self) -> Mapping[str, Iterable[Any]]:
        """Return the examples of each split."""
        raise NotImplementedError

    def to_texts(self, example: Any) -> tuple[str, ...]:
        """Return an example as the texts of `FIELDS`."""
        raise NotImplementedError

    def _info(self) -> tfds.core.DatasetInfo:
        text = tfds.features.Text()
        return tfds.core.DatasetInfo(
            builder=self,
            description=type(self).__doc__,
            features=tfds.features.FeaturesDict(dict.fromkeys(self.FIELDS, text)),
            disable_shuffling=True,  # batches are shuffled when they are made
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[int, dict[str, str]]]]:
        del dl_manager
        return {
            "train" if split == WHOLE else split: self._generate_examples(list(examples))
            for split, examples in self.read_splits().items()
        }

    def _generate_examples(self, examples: Iterable[Any]) -> Iterator[tuple[int, dict[str, str]]]:
        for key, example in enumerate(examples):
            yield key, dict(zip(self.FIELDS, self.to_texts(example), strict=True))
