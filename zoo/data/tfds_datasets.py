"""Reads datasets that were prepared with TFDS and are chosen by `data.corpus=tfds:NAME`.

The features differ from dataset to dataset, so each kind of example has a function that reads it.
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

_CLASS_KEYS = ("pythonClassName", "python_class_name", "type")  # keys of a features.json


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
    """Returns the splits of a labelled dataset, and whether a text may have several labels.

    The labels must be classes. A split whose labels are secret (negative) is left out.

    Raises:
        UserError: there is no such dataset, or its labels are no classes.
    """
    columns, label = [one.strip() for one in config.text_column.split(",")], config.label_column
    sources, features = _open(config, splits=("train",), features=(*columns, label))
    multiple = hasattr(features[label], "feature")  # a sequence of labels
    names = getattr(features[label].feature if multiple else features[label], "names", None)
    if names is None:
        raise UserError(
            f"feature {label!r} of {config.corpus} is no class; name the feature of the label with "
            "data.label_column=NAME"
        )

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
    """Returns the splits of a parallel dataset.

    An example, or its feature `translation`, must be {"de": ..., "en": ...}. Pairs with an empty
    side are left out, because the user cannot correct such a dataset.

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
    """Returns the splits of a dataset whose examples are tokens with tags.

    The tokens and the tags are sequences; a tag is a class or a text. Blank tokens, and sentences
    without others, are left out, because the user cannot correct such a dataset.

    Raises:
        UserError: there is no such dataset.
    """
    word, tag = config.word_column or "tokens", config.tag_column or "tags"
    sources, features = _open(config, splits=("train",), features=(word, tag))
    names = getattr(getattr(features[tag], "feature", None), "names", None)

    def unpack(record: Json) -> list[Tagged]:
        tags = [names[one] if names else _plain(one) for one in record[tag]]
        rows = zip(map(_plain, record[word]), tags, strict=True)
        full = [(token, own) for token, own in rows if token]
        return [Tagged(tuple(token for token, _ in full), tuple(own for _, own in full))]

    splits = {split: Stored(records, unpack) for split, records in sources.items()}
    return {
        split: sentences.select(np.flatnonzero([len(one.tokens) > 0 for one in sentences]))
        for split, sentences in splits.items()
    }


def _plain(text: str | bytes) -> str:
    """Returns a text on one line; a nested text may still be bytes."""
    return " ".join((text.decode("utf-8") if isinstance(text, bytes) else text).split("\n")).strip()


def _open(
    config: SharedDataConfig, *, splits: Sequence[str], features: Sequence[str]
) -> tuple[dict[str, Sequence[Json]], Any]:
    """Returns the data sources and the features of a dataset that was prepared with TFDS.

    Args:
        config: the name and the directory of the dataset. The name ends with the config and version
            of the dataset if the directory has several.
        splits: the splits that the dataset must have.
        features: the features that the dataset must have.

    Raises:
        UserError: no dataset or several datasets fit, or the dataset lacks a split or a feature, or
            has another format.
    """
    root = Path(config.directory).expanduser() / config.corpus.removeprefix(TFDS_PREFIX)
    infos = root.glob("**/dataset_info.json") if config.directory else ()
    found = sorted(path.parent for path in infos)
    if len(found) != 1:
        versions = [str(path.relative_to(root.parent)) for path in found]
        choice = f"name one of tfds:{', tfds:'.join(versions)}" if found else "prepare it with TFDS"
        raise UserError(
            f"there are {len(found)} datasets under {root}, but one is needed; {choice}, "
            "data.directory=DIR"
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
    """Raises a UserError if the features of a dataset name a class outside TFDS.

    TFDS imports the module of every class that `features.json` names, so such a dataset could run
    any code.
    """
    path = dataset / "features.json"
    try:
        named = list(_named_classes(json.loads(path.read_bytes())))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read ({error}); prepare the dataset again") from error
    for name in named:
        if not (isinstance(name, str) and name.startswith("tensorflow_datasets.core.features.")):
            raise UserError(
                f"{path} names the class {name!r}, which is not a feature of TFDS, and reading it "
                "could run any code; prepare the dataset again with features of TFDS only"
            )


def _named_classes(record: object) -> Iterator[object]:
    """Yields every class that a features.json names, at any depth."""
    if isinstance(record, list):
        for element in record:
            yield from _named_classes(element)
    if isinstance(record, dict):
        for key, value in record.items():
            if key in _CLASS_KEYS:
                yield value
            yield from _named_classes(value)
