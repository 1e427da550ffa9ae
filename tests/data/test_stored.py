"""Examples in the cache: read in any order, block by block, as the sequence that they are."""

import json

import pytest

from zoo.data import stored
from zoo.data.examples import Labeled, Pair, Tagged, Text
from zoo.data.splits import SPLITS, draw_missing
from zoo.data.stored import BLOCK_SIZE, Stored, blocks_of, unpack_block


class Records(list):
    """A data source of TFDS: records by their numbers."""

    def __getitems__(self, numbers):
        return [{"examples": self[number].encode()} for number in numbers]


def store(examples, gives=Text):
    records = Records(map(json.dumps, blocks_of(examples)))
    return Stored(records, lambda record: unpack_block(record, gives), BLOCK_SIZE)


@pytest.mark.parametrize("count", [0, 1, BLOCK_SIZE - 1, BLOCK_SIZE, 3 * BLOCK_SIZE + 5])
def test_a_sequence_of_any_length(count):
    lines = [f"line {number} \u2028 \ud83d" for number in range(count)]
    found = store(iter(lines))
    assert len(found) == count
    assert list(found) == list(found) == lines
    assert found[:2] == lines[:2]
    assert found[-3:] == lines[-3:]
    assert found[::-7] == lines[::-7]
    for number in (-count, -1, 0, count - 1) if count else ():
        assert found[number] == lines[number]
    with pytest.raises(IndexError):
        found[count]


def test_chosen_examples_come_in_the_order_of_the_choice(monkeypatch):
    monkeypatch.setattr(stored, "_ROWS_AT_A_TIME", 3)
    monkeypatch.setattr(stored, "_RECORDS_AT_A_TIME", 2)
    lines = [f"line {number}" for number in range(500)]
    rows = [499, 3, 3, 70, 0, 64, 63, 128]
    chosen = store(lines).select(rows)
    assert list(chosen) == [lines[row] for row in rows]
    assert list(chosen.select([7, 0])) == [lines[128], lines[499]]
    assert list(store(lines)) == lines


def test_examples_come_back_with_their_fields():
    texts = [Labeled("one", ("a", "b")), Labeled("", ())]
    found = store(texts, Labeled)
    assert list(found) == texts
    assert type(found[0]) is Labeled
    assert list(found.column("labels")) == [("a", "b"), ()]
    pairs = [Pair("Das Haus", "The house", ((0, 0), (1, 1))), Pair("Ja", "Yes")]
    found = store(pairs, Pair)
    assert list(found) == pairs
    assert list(found.column("source", str.lower)) == ["das haus", "ja"]
    assert found.select([1]).column("alignment")[0] == ()
    sentences = [Tagged(("Das", "Haus"), ("DET", "NOUN")), Tagged(("Ja",), ("INTJ",))]
    found = store(sentences, Tagged)
    assert list(found) == sentences
    assert type(found[0]) is Tagged
    lower = found.map(lambda sentence: sentence._replace(tags=("x",)))
    assert list(lower.column("tags", len)) == [1, 1]
    assert [lower[1].tags, found[1].tags] == [("x",), ("INTJ",)]


def test_the_training_split_keeps_its_order_when_others_are_drawn_from_it():
    lines = [f"line {number:03}" for number in range(100)]
    parts = draw_missing({"train": store(iter(lines))}, {"validation": 0.1, "test": 0.1}, "mine")
    assert [len(parts[split]) for split in SPLITS] == [80, 10, 10]
    assert list(parts["train"]) == sorted(parts["train"])
    assert sorted(line for part in parts.values() for line in part) == lines
