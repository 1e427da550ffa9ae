"""The rows that a process makes alone are the rows of the whole batch."""

import jax
import numpy as np
import pytest

from zoo.data.batching import SentenceBatches, SplitBatches
from zoo.data.labeled_batching import LabeledBatches
from zoo.data.parallel_batching import ParallelBatches
from zoo.data.streams import StreamBatches
from zoo.data.tagged_batching import EncodedSentences, TaggedBatches
from zoo.training import stacking
from zoo.training.devices import MeshConfig, make_mesh
from zoo.training.stacking import stack_batches

DRAW = np.random.default_rng(0)
TEXT = DRAW.integers(2, 9, 500).astype(np.int32)
ROWS = [DRAW.integers(3, 9, size).astype(np.int32) for size in DRAW.integers(1, 12, 40)]
BUCKETS = {"batch_size": 6, "bucket_lengths": (4, 8), "seed": 1}
BATCHES = {
    "streams": StreamBatches(TEXT, batch_size=6, sequence_length=5, seed=1, random_offset=True),
    "random lengths": StreamBatches(
        TEXT, batch_size=6, sequence_length=8, seed=1, random_length=True
    ),
    "sentences": SentenceBatches(TEXT, **BUCKETS),
    "labelled texts": LabeledBatches(ROWS, np.eye(40, dtype=np.float32), **BUCKETS),
    "pairs": ParallelBatches(ROWS, ROWS[::-1], **BUCKETS),
    "tagged sentences": TaggedBatches(EncodedSentences(ROWS, [], None), ROWS, **BUCKETS),
}


def assert_part(found, whole, *part):
    """The arrays found are a part of other arrays."""
    jax.tree.map(lambda one, other: np.testing.assert_array_equal(one, other[part]), found, whole)


@pytest.mark.parametrize("kind", BATCHES)
def test_rows_made_alone_are_rows_of_the_batch(kind):
    batches = BATCHES[kind].with_seed(3)
    assert isinstance(batches, SplitBatches)
    assert batches.batch_size == 6
    for rows in (slice(0, 2), slice(2, 6), slice(None)):
        own = batches.of_rows(rows)
        for position in (0, 1, batches.batches_per_epoch - 1):
            whole = batches.batch(2, position)
            assert_part(own.batch(2, position), whole, rows)


def test_a_process_among_others_reads_the_rows_of_its_devices_alone(monkeypatch):
    batches, read = BATCHES["streams"], []
    mesh = make_mesh(MeshConfig(data=1), 6)
    whole, count = stack_batches(batches, 0, most=3, capacity=3, mesh=mesh)
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(stacking, "local_rows", lambda mesh, rows: read.append(rows) or slice(2, 4))
    monkeypatch.setattr(
        stacking, "place_batches", lambda own, mesh, num_rows: (read.append(num_rows), own)[1]
    )
    own, own_count = stack_batches(batches, 0, most=3, capacity=3, mesh=mesh)
    assert (read, own_count) == ([6, 6], count)
    for place, batch in enumerate(own):
        assert_part(batch, whole, place, slice(2, 4))
