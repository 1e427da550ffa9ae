"""The TFDS builder of all corpora; it needs no TensorFlow."""

import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping

import tensorflow_datasets as tfds


@dataclasses.dataclass(eq=False)
class Prepared(tfds.core.BuilderConfig):
    """One prepared corpus, named after the corpus and its fingerprint.

    Attributes:
        splits: the blocks of examples of each split; empty if the corpus is prepared already.
    """

    splits: Mapping[str, Iterable[str]] = dataclasses.field(default_factory=dict)


class _Info(tfds.core.DatasetInfo):
    def initialize_from_bucket(self) -> None:
        """Does nothing; TFDS asks its own cloud bucket, and leaves an empty directory behind."""


class ZooCorpora(
    tfds.core.dataset_builder.FileReaderBuilder,
    skip_registration=True,  # type: ignore[call-arg]
):
    """The builder of all corpora; it writes blocks of examples in JSON, see `zoo.data.stored`."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        return _Info(
            builder=self,
            description=type(self).__doc__,
            features=tfds.features.FeaturesDict({"examples": tfds.features.Text()}),
            disable_shuffling=True,  # the order of a text is a part of it
        )

    def _download_and_prepare(
        self,
        dl_manager: tfds.download.DownloadManager,
        download_config: tfds.download.DownloadConfig | None = None,
    ) -> None:
        """Writes each split to one file, block by block.

        The writer of TFDS collects a split in memory first, and needs TensorFlow beyond 1 GB.
        """
        del dl_manager, download_config
        splits = self.builder_config.splits
        written = [self._write(split, blocks) for split, blocks in splits.items()]
        self.info.set_splits(tfds.core.SplitDict(written))

    def _write(self, split: str, blocks: Iterable[str]) -> tfds.core.SplitInfo:
        template = self._get_filename_template(split_name=split)
        path = template.sharded_filepath(shard_index=0, num_shards=1)
        num_records = num_bytes = 0

        def records() -> Iterator[tuple[int, bytes]]:
            nonlocal num_records, num_bytes
            for block in blocks:
                record = self.info.features.serialize_example({"examples": block})
                yield num_records, record
                num_records, num_bytes = num_records + 1, num_bytes + len(record)

        write = tfds.core.file_adapters.ADAPTER_FOR_FORMAT[self.info.file_format].write_examples
        write(os.fspath(path), records())
        return tfds.core.SplitInfo(
            name=split,
            shard_lengths=[num_records],
            num_bytes=num_bytes,
            filename_template=template,
        )
