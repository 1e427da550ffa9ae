"""Batches: what is read, what is predicted, what is carried; every token exactly once."""

import timeit

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data.batching import (
    SentenceBatches,
    shift_targets,
)
from zoo.data.streams import StreamBatches
from zoo.errors import UserError
from zoo.special_tokens import END_ID, START_ID


def random_tokens(num_sentences=60, longest=12, seed=0):
    """Sentences of different lengths whose tokens are all different but for their ends."""
    lengths = np.random.default_rng(seed).integers(0, longest, num_sentences)
    tokens, word = [], 3
    for length in lengths:
        tokens += [*range(word, word + length), END_ID]
        word += length
    return np.array(tokens, dtype=np.int32)


def looped_inputs(targets):
    """The inputs of a stream, from the contract, token by token."""
    inputs = []
    for position in range(len(targets)):
        previous = targets[position - 1] if position else END_ID
        inputs.append(START_ID if previous == END_ID else previous)
    return np.array(inputs)


def epoch_of(batches, epoch):
    return [batches.batch(epoch, index) for index in range(batches.batches_per_epoch)]


def assert_same(first, second):
    for left, right in zip(first, second, strict=True):
        np.testing.assert_array_equal(left, right)


def test_inputs_are_the_targets_one_step_later_and_never_an_end():
    tokens = random_tokens()
    np.testing.assert_array_equal(shift_targets(tokens), looped_inputs(tokens))
    assert END_ID not in shift_targets(tokens)
    rows = np.stack([tokens[:20], tokens[20:40]])
    expected = np.stack([looped_inputs(row) for row in rows])
    np.testing.assert_array_equal(shift_targets(rows), expected)


@settings(deadline=None)
@given(st.integers(1, 7), st.integers(1, 9), st.integers(0, 5))
def test_rows_of_an_epoch_are_contiguous_parts_of_the_text(batch_size, sequence_length, seed):
    tokens = random_tokens(seed=seed)
    batches = StreamBatches(
        tokens, batch_size=batch_size, sequence_length=sequence_length, seed=seed
    )
    stream_length = len(tokens) // batch_size
    used = stream_length // sequence_length * sequence_length
    assert batches.batches_per_epoch * sequence_length == used
    epoch = epoch_of(batches, 3)
    targets = np.concatenate([batch.targets for batch in epoch], axis=1)
    inputs = np.concatenate([batch.inputs for batch in epoch], axis=1)
    all_inputs = looped_inputs(tokens)
    for row in range(batch_size):
        part = slice(row * stream_length, row * stream_length + used)
        np.testing.assert_array_equal(targets[row], tokens[part])
        np.testing.assert_array_equal(inputs[row], all_inputs[part])
    for index, batch in enumerate(epoch):
        assert batch.targets.shape == batch.inputs.shape == (batch_size, sequence_length)
        assert batch.targets.dtype == batch.inputs.dtype == batch.lengths.dtype == np.int32
        assert (batch.lengths == sequence_length).all()
        assert (batch.fresh == (index == 0)).all()
        assert batch.fresh.shape == (batch_size,)


def test_random_offset_rotates_the_text_by_another_amount_in_each_epoch():
    tokens = np.append(np.arange(3, 102), END_ID)
    batches = StreamBatches(tokens, batch_size=4, sequence_length=5, seed=1, random_offset=True)
    inputs_of = dict(zip(tokens.tolist(), looped_inputs(tokens).tolist(), strict=True))
    offsets = set()
    for epoch in range(8):
        batch_list = epoch_of(batches, epoch)
        flat = np.concatenate([b.targets for b in batch_list], axis=1).reshape(-1)
        offset = int(np.flatnonzero(tokens == flat[0])[0])
        np.testing.assert_array_equal(flat, np.roll(tokens, -offset))
        inputs = np.concatenate([b.inputs for b in batch_list], axis=1).reshape(-1)
        assert inputs.tolist() == [inputs_of[token] for token in flat.tolist()]
        offsets.add(offset)
    assert len(offsets) > 4
    other = StreamBatches(tokens, batch_size=4, sequence_length=5, seed=2, random_offset=True)
    assert (other.batch(0, 0).targets != batches.batch(0, 0).targets).any()


def test_stream_batches_are_pure_and_their_own():
    tokens = random_tokens()
    options = {"batch_size": 3, "sequence_length": 4, "seed": 5, "random_offset": True}
    batches = StreamBatches(tokens, **options)
    first = batches.batch(2, 1)
    batches.batch(0, 0)
    assert_same(first, batches.batch(2, 1))
    assert_same(first, StreamBatches(tokens, **options).batch(2, 1))
    expected = first.targets.copy()
    first.targets[:] = 0  # neither the text nor any other batch
    np.testing.assert_array_equal(batches.batch(2, 1).targets, expected)
    np.testing.assert_array_equal(tokens, random_tokens())
    for index in (-1, batches.batches_per_epoch):
        with pytest.raises(IndexError):
            batches.batch(0, index)


def test_penn_treebank_gives_the_2323_batches_of_the_literature():
    tokens = np.full(929_589, 5, dtype=np.int32)
    batches = StreamBatches(tokens, batch_size=20, sequence_length=20, seed=0)
    assert batches.batches_per_epoch == 2323


def test_a_batch_of_a_stream_takes_microseconds():
    tokens = np.full(1_000_000, 5, dtype=np.int32)
    batches = StreamBatches(tokens, batch_size=64, sequence_length=128, seed=0)
    assert min(timeit.repeat(lambda: batches.batch(0, 7), number=10, repeat=5)) / 10 < 1e-3


def test_too_small_a_corpus_says_what_would_fit():
    tokens = random_tokens(20)
    with pytest.raises(UserError, match=rf"{len(tokens)} tokens.*batch_size={len(tokens) // 10} "):
        StreamBatches(tokens, batch_size=len(tokens) // 10 + 1, sequence_length=10, seed=0)
    StreamBatches(tokens, batch_size=len(tokens) // 10, sequence_length=10, seed=0)
    with pytest.raises(UserError, match="sequence_length=5"):
        StreamBatches(tokens[:5], batch_size=2, sequence_length=6, seed=0)
    with pytest.raises(UserError, match="batch_size is 0"):
        StreamBatches(tokens, batch_size=0, sequence_length=6, seed=0)
    with pytest.raises(UserError, match=r"has 20 sentences.*batch_size=20"):
        SentenceBatches(tokens, batch_size=21, bucket_lengths=(4,), seed=0)
    with pytest.raises(UserError, match="no tokens"):
        SentenceBatches(tokens[:0], batch_size=1, bucket_lengths=(4,), seed=0)
    with pytest.raises(UserError, match="bucket_lengths is 0"):
        SentenceBatches(tokens, batch_size=1, bucket_lengths=(), seed=0)


def real_rows(batches):
    """Every row of real targets, checked against the rules of padding on the way."""
    rows = []
    for batch in batches:
        num_rows, num_steps = batch.targets.shape
        assert batch.fresh.all()
        assert batch.lengths.min() >= 1
        assert batch.lengths.dtype == batch.targets.dtype == batch.inputs.dtype == np.int32
        for row in range(num_rows):
            length = batch.lengths[row]
            targets = batch.targets[row, :length]
            np.testing.assert_array_equal(batch.inputs[row, :length], looped_inputs(targets))
            assert (batch.targets[row, length:] == END_ID).all()
            assert (batch.inputs[row, length:] == END_ID).all()
            assert length <= num_steps
            rows.append(tuple(targets.tolist()))
    return rows


def split_sentences(tokens):
    sentences, sentence = [], []
    for token in tokens.tolist():
        sentence.append(token)
        if token == END_ID:
            sentences.append(tuple(sentence))
            sentence = []
    return sentences


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(0, 20), st.integers(0, 3))
def test_an_epoch_has_every_sentence_once_but_for_the_last_incomplete_batch(
    batch_size, seed, epoch
):
    tokens = random_tokens(num_sentences=50, longest=15, seed=seed)
    batches = SentenceBatches(tokens, batch_size=batch_size, bucket_lengths=(8, 4), seed=seed)
    sentences = split_sentences(tokens)
    batch_list = epoch_of(batches, epoch)
    assert len(batch_list) == 50 // batch_size
    rows = real_rows(batch_list)
    assert len(rows) == 50 // batch_size * batch_size
    remaining = sentences.copy()
    for row in rows:
        remaining.remove(row)  # fails on a sentence used twice
    assert len(remaining) == 50 % batch_size
    longest = max(map(len, sentences))
    assert batches.bucket_lengths == ((4, 8) if longest <= 8 else (4, 8, 16))
    assert {batch.targets.shape[0] for batch in batch_list} == {batch_size}
    assert {batch.targets.shape[1] for batch in batch_list} <= set(batches.bucket_lengths)


def test_most_sentences_are_in_the_smallest_bucket_that_holds_them():
    tokens = random_tokens(num_sentences=400, longest=15, seed=3)
    batches = SentenceBatches(tokens, batch_size=10, bucket_lengths=(4, 8, 16), seed=0)
    too_wide = 0
    for batch in epoch_of(batches, 0):
        smaller = [steps for steps in (4, 8) if steps < batch.targets.shape[1]]
        too_wide += int((batch.lengths <= max(smaller, default=0)).sum())
    assert too_wide < 2 * 10  # what is left of two buckets moves up


def test_a_last_end_may_be_missing():
    tokens = np.array([5, 6, END_ID, 7], dtype=np.int32)
    batches = SentenceBatches(tokens, batch_size=2, bucket_lengths=(16,), seed=0)
    assert sorted(batches.batch(0, 0).lengths.tolist()) == [1, 3]


def test_order_of_sentences_depends_on_seed_and_epoch_only():
    tokens = random_tokens(num_sentences=80)
    options = {"batch_size": 8, "bucket_lengths": (4, 8, 16)}
    batches = SentenceBatches(tokens, seed=4, **options)
    first = epoch_of(batches, 1)
    other_epoch = epoch_of(batches, 2)
    for index in (5, 0, 3):  # in another order, and after another epoch
        assert_same(first[index], batches.batch(1, index))
        assert_same(first[index], SentenceBatches(tokens, seed=4, **options).batch(1, index))
    other_seed = epoch_of(SentenceBatches(tokens, seed=5, **options), 1)
    for other in (other_epoch, other_seed):
        assert real_rows(other) != real_rows(first)
        assert sorted(real_rows(other)) == sorted(real_rows(first))
    lengths = [[batch.targets.shape[1] for batch in epoch] for epoch in (first, other_epoch)]
    assert lengths[0] != lengths[1]  # batches are shuffled too, not only sentences
    assert sorted(lengths[0]) == sorted(lengths[1])
