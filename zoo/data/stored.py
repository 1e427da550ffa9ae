"""The examples of a split in a prepared dataset, which are read when they are used.

A record of a TFDS dataset holds one example. A record of our own cache holds a block of
`BLOCK_SIZE` examples in JSON, because reading a record takes about 30 us, whatever its size.
"""

import copy
import itertools
import json
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Self

import numpy as np

from zoo.data.examples import Example, Text
from zoo.errors import UserError
from zoo.types import Json

BLOCK_SIZE = 64
_ROWS_AT_A_TIME = 8192  # drawn rows lie in nearly as many records, each of which is read once
_RECORDS_AT_A_TIME = 128


class Stored(Sequence[Example]):
    """A sequence of examples on disk; only a few are in memory at a time.

    Each loop reads all examples from the disk. A slice is a list.

    Args:
        records: a data source of TFDS.
        unpack: a function that returns the examples of a record.
        block_size: the number of examples of each record except the last.
    """

    def __init__(
        self,
        records: Sequence[Json],
        unpack: Callable[[Json], Sequence[Example]],
        block_size: int = 1,
    ):
        self._records, self._unpack, self._block_size = records, unpack, block_size
        self._map: Callable[[Example], Example] | None = None
        length = len(records)
        if length and block_size > 1:
            [last] = read_records(records, [length - 1])
            length = (length - 1) * block_size + len(unpack(last))
        self._rows: range | np.ndarray = range(length)  # numbers of the examples, in order

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Example]:
        if isinstance(self._rows, range):  # all in order: no need to look for each
            for record in read_records(self._records, range(len(self._records))):
                examples = self._unpack(record)
                yield from map(self._map, examples) if self._map else examples
            return
        for start in range(0, len(self), _ROWS_AT_A_TIME):
            yield from self[start : start + _ROWS_AT_A_TIME]

    def __getitem__(self, key: Any) -> Example:
        if not isinstance(key, slice):
            return self[slice(key, key + 1 or None)][0]
        rows = np.asarray(self._rows[key], np.int64)
        blocks = rows // self._block_size
        order = np.argsort(blocks, kind="stable")
        numbers, starts = np.unique(blocks[order], return_index=True)
        stops = [*starts.tolist()[1:], len(rows)]
        chosen: list[Example] = [None] * len(rows)
        records = read_records(self._records, numbers.tolist())
        for record, start, stop in zip(records, starts, stops, strict=False):  # no rows: one stop
            block = self._unpack(record)  # of which only the chosen examples stay in memory
            for place in order[start:stop].tolist():
                chosen[place] = block[rows[place] % self._block_size]
        return list(map(self._map, chosen)) if self._map else chosen

    def select(self, rows: np.ndarray) -> Self:
        """Returns the examples with these numbers, in this order."""
        other = copy.copy(self)
        other._rows = np.asarray(self._rows)[rows]
        return other

    def map(self, change: Callable[[Example], Example]) -> Self:
        """Returns the sequence of the results of a function for each example."""
        other, before = copy.copy(self), self._map
        other._map = change if before is None else lambda example: change(before(example))
        return other

    def column(self, field: str, change: Callable[[Example], Example] | None = None) -> Self:
        """Returns one field of each example as a sequence.

        Args:
            field: the name of the field.
            change: a function that is applied to each value; None leaves the values as they are.
        """
        get = operator.attrgetter(field)
        return self.map((lambda example: change(get(example))) if change else get)


def blocks_of(examples: Iterable[Example]) -> Iterator[list[Example]]:
    """Yields the examples in lists, one list for each record of our cache."""
    remaining = iter(examples)
    while block := list(itertools.islice(remaining, BLOCK_SIZE)):
        yield block


class _Block(Sequence[Example]):
    """The examples of a record. Each is made when it is read: of most records one is wanted."""

    def __init__(self, rows: list[list[object]], gives: type):
        self._rows, self._gives = rows, gives

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key: Any) -> Example:
        return self._gives(*map(_as_tuple, self._rows[key]))


def unpack_block(record: dict[str, str], gives: type) -> Sequence[Example]:
    """Returns the examples of a record of our cache.

    Args:
        record: a block of examples in JSON.
        gives: the class of the examples.
    """
    examples = json.loads(record["examples"])
    return examples if gives is Text else _Block(examples, gives)


def _as_tuple(value: object) -> object:
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value


def read_records(source: Sequence[Json], numbers: Iterable[int]) -> Iterator[Json]:
    """Yields records of a data source with texts as `str`; a few are in memory at a time.

    Args:
        source: the data source.
        numbers: the indices of the records.

    Raises:
        UserError: the dataset is damaged.
    """
    remaining = iter(numbers)
    while chosen := list(itertools.islice(remaining, _RECORDS_AT_A_TIME)):
        try:
            records = source.__getitems__(chosen)  # type: ignore[attr-defined]
        except RuntimeError as error:
            directory = source.dataset_info.data_dir  # type: ignore[attr-defined]
            raise UserError(
                f"the dataset in {directory} is damaged; delete this directory"
            ) from error
        for record in records:
            yield {name: _decode(value) for name, value in record.items()}


def _decode(value: object) -> object:
    return value.decode("utf-8") if isinstance(value, bytes) else value
