"""Datasets that someone prepared with TFDS, as `data.corpus=tfds:NAME` names them.

Their features differ from dataset to dataset, so each kind of example has a function that reads it.
"""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.config import (
    LabeledDataConfig,
    ParallelDataConfig,
    SharedDataConfig,
    TaggedDataConfig,
    TextConfig,
)
from zoo.data.corpora import TFDS_PREFIX
from zoo.data.examples import Labeled, Pair, Tagged
from zoo.data.prepared import quiet_tfds
from zoo.data.splits import SPLITS
from zoo.data.stored import Stored, read_records
from zoo.errors import UserError
from zoo.types import Json

_CLASS_KEYS = ("pythonClassName", "python_class_name", "type")  # of a features.json


@dataclasses.dataclass(frozen=True)
class TextLines:
    """The lines of all examples of a dataset of texts; only a newline ends a line.

    Attributes:
        records: a data source of TFDS.
    """

    records: Sequence[Json]

    def __iter__(self) -> Iterator[str]:
        for record in read_records(self.records, range(len(self.records))):
            pieces = record["text"].split("\n")
            yield from pieces[:-1] if pieces[-1] == "" else pieces


def read_texts(config: TextConfig) -> dict[str, TextLines]:
    """Returns the three splits of a dataset with a feature `text`.

    Raises:
        UserError: there is no such dataset.
    """
    sources, _ = _open(config, splits=SPLITS, features=("text",))
    return {split: TextLines(sources[split]) for split in SPLITS}


def read_labeled(config: LabeledDataConfig) -> tuple[dict[str, Stored], bool]:
    """Returns the splits of a dataset whose labels are classes, and whether they may be several.

    A split whose labels are kept secret is left out.

    Raises:
        UserError: there is no such dataset.
    """
    columns, label = [one.strip() for one in config.text_column.split(",")], config.label_column
    sources, features = _open(config, splits=("train",), features=(*columns, label))
    multiple = hasattr(features[label], "feature")  # a sequence of labels
    names = (features[label].feature if multiple else features[label]).names

    def unpack(record: Json) -> list[Labeled]:
        numbers = np.ravel(record[label]).tolist()
        text = " ".join(str(record[column]) for column in columns)
        return [Labeled(text, tuple(names[number] for number in numbers))]

    def is_secret(records: Sequence[Json]) -> bool:
        found = read_records(records, range(len(records)))
        return any(np.min(record[label], initial=0) < 0 for record in found)

    given = {split: records for split, records in sources.items() if not is_secret(records)}
    return {split: Stored(records, unpack) for split, records in given.items()}, multiple


def read_pairs(config: ParallelDataConfig) -> dict[str, Stored]:
    """Returns the splits of a dataset whose examples are {"de": ..., "en": ...}, or have this as a
    feature.

    Pairs with an empty side are left out: such a dataset is not the user's to correct.

    Raises:
        UserError: there is no such dataset, or it lacks a language.
    """
    sources, features = _open(config, splits=("train",), features=())
    nested = "translation" in features
    known = features["translation"] if nested else features
    languages = (config.source_language, config.target_language)
    for language, field in zip(languages, ("source_language", "target_language"), strict=True):
        if language not in known:
            raise UserError(
                f"{config.corpus} has no language {language}; it has "
                f"{', '.join(sorted(known))}, use data.{field}=NAME"
            )

    def unpack(record: Json) -> list[Pair]:
        row = record["translation"] if nested else record
        source, target = (_plain(row[language]) for language in languages)
        return [Pair(source, target)]

    splits = {split: Stored(records, unpack) for split, records in sources.items()}
    return {
        split: pairs.select(np.flatnonzero([bool(p.source and p.target) for p in pairs]))
        for split, pairs in splits.items()
    }


def read_tagged(config: TaggedDataConfig) -> dict[str, Stored]:
    """Returns the splits of a dataset whose examples have a sequence of tokens and one of tags.

    The tags are classes or texts. Sentences without tokens are left out: such a dataset is not the
    user's to correct.

    Raises:
        UserError: there is no such dataset.
    """
    word, tag = config.word_column or "tokens", config.tag_column or "tags"
    sources, features = _open(config, splits=("train",), features=(word, tag))
    names = getattr(getattr(features[tag], "feature", None), "names", None)

    def unpack(record: Json) -> list[Tagged]:
        tags = (names[one] if names else _plain(one) for one in record[tag])
        return [Tagged(tuple(map(_plain, record[word])), tuple(tags))]

    splits = {split: Stored(records, unpack) for split, records in sources.items()}
    return {
        split: sentences.select(np.flatnonzero([len(one.tokens) > 0 for one in sentences]))
        for split, sentences in splits.items()
    }


def _plain(text: str | bytes) -> str:
    """Returns a text, which may still be bytes if it was nested, on one line."""
    return " ".join((text.decode("utf-8") if isinstance(text, bytes) else text).split("\n")).strip()


def _open(
    config: SharedDataConfig, *, splits: Sequence[str], features: Sequence[str]
) -> tuple[dict[str, Sequence[Json]], Any]:
    """Returns the data sources of a dataset that someone prepared with TFDS, and its features.

    Args:
        config: the name of the dataset, with its config and version where there are several, and
            the directory with the dataset.
        splits: the splits that must be there.
        features: the features that must be there.

    Raises:
        UserError: there is not one such dataset, or it lacks something, or has another format.
    """
    root = Path(config.directory).expanduser() / config.corpus.removeprefix(TFDS_PREFIX)
    infos = root.glob("**/dataset_info.json") if config.directory else ()
    found = sorted(path.parent for path in infos)
    if len(found) != 1:
        versions = [str(path.relative_to(root.parent)) for path in found]
        choice = f"name one of tfds:{', tfds:'.join(versions)}" if found else "prepare it with TFDS"
        raise UserError(
            f"{len(found)} datasets under {root}, need one; {choice}, data.directory=DIR"
        )
    _refuse_foreign_classes(found[0])
    with quiet_tfds() as tfds:
        builder = tfds.builder_from_directory(found[0])
        missing = [split for split in splits if split not in builder.info.splits]
        lacking = [feature for feature in features if feature not in builder.info.features]
        if missing or lacking:
            lacks = f"split {missing[0]}" if missing else f"feature {lacking[0]}"
            has = sorted(builder.info.splits if missing else builder.info.features)
            raise UserError(f"{found[0]} has no {lacks}; it has {', '.join(has)}")
        try:
            return builder.as_data_source(), builder.info.features
        except NotImplementedError as error:
            raise UserError(
                f"{found[0]} is not in array_record format; prepare it with "
                "file_format='array_record'"
            ) from error


def _refuse_foreign_classes(dataset: Path) -> None:
    """Raises UserError for a dataset whose features name a class outside TFDS.

    TFDS imports the module of every class that `features.json` names, so that a dataset could
    choose which code runs.
    """
    path = dataset / "features.json"
    try:
        named = list(_named_classes(json.loads(path.read_bytes())))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} can't be read ({error}); prepare the dataset again") from error
    for name in named:
        if not (isinstance(name, str) and name.startswith("tensorflow_datasets.core.features.")):
            raise UserError(
                f"{path} names the class {name!r}, which is no feature of TFDS, and reading it "
                "could run any code; prepare the dataset again with features of TFDS alone"
            )


def _named_classes(record: object) -> Iterator[object]:
    """Every class that a features.json names, at any depth."""
    if isinstance(record, list):
        for element in record:
            yield from _named_classes(element)
    if isinstance(record, dict):
        for key, value in record.items():
            if key in _CLASS_KEYS:
                yield value
            yield from _named_classes(value)
