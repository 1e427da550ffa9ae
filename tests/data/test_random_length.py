"""Chunks of random length: together they are the text, and they are as long as they should be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data.streams import StreamBatches
from zoo.errors import UserError
from zoo.special_tokens import END_ID, START_ID


def random_tokens(num_tokens, seed=0):
    """Sentences of random words, the last of them ended."""
    draw = np.random.default_rng(seed)
    tokens = draw.integers(3, 10_000, num_tokens).astype(np.int32)
    tokens[draw.random(num_tokens) < 0.1] = END_ID
    tokens[-1] = END_ID
    return tokens


def looped_inputs(targets):
    """The inputs of a stream, from the contract, token by token."""
    inputs = []
    for position in range(len(targets)):
        previous = targets[position - 1] if position else END_ID
        inputs.append(START_ID if previous == END_ID else previous)
    return np.array(inputs)


def make(tokens, *, batch_size=2, sequence_length=6, seed=0, **more):
    options = {"batch_size": batch_size, "sequence_length": sequence_length, "seed": seed, **more}
    return StreamBatches(tokens, random_length=True, **options)


def epoch_of(batches, epoch):
    return [batches.batch(epoch, index) for index in range(batches.batches_per_epoch)]


def lengths_of(batches, epoch):
    return [int(batch.lengths[0]) for batch in epoch_of(batches, epoch)]


def assert_same(first, second):
    for left, right in zip(first, second, strict=True):
        np.testing.assert_array_equal(left, right)
        assert left.dtype == right.dtype


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 5), st.integers(1, 30), st.integers(0, 99), st.integers(0, 3), st.booleans())
def test_each_row_goes_on_exactly_where_it_was(
    batch_size, sequence_length, seed, epoch, random_offset
):
    """Real tokens follow each other in the text; behind its last comes its first again."""
    tokens = random_tokens(400 + seed, seed)
    batches = make(
        tokens,
        batch_size=batch_size,
        sequence_length=sequence_length,
        seed=seed,
        random_offset=random_offset,
    )
    all_inputs, offset = looped_inputs(tokens), 0
    if random_offset:  # the same rotation as that of chunks of one length
        plain = StreamBatches(
            tokens, batch_size=1, sequence_length=len(tokens), seed=seed, random_offset=True
        )
        first = plain.batch(epoch, 0).targets[0]
        (offset,) = (n for n in range(len(tokens)) if np.array_equal(np.roll(tokens, -n), first))
    position = offset + np.arange(batch_size) * (len(tokens) // batch_size)
    for index, batch in enumerate(epoch_of(batches, epoch)):
        length = int(batch.lengths[0])
        assert batch.lengths.tolist() == [length] * batch_size
        for row in range(batch_size):
            places = (position[row] + np.arange(length)) % len(tokens)
            np.testing.assert_array_equal(batch.targets[row, :length], tokens[places])
            np.testing.assert_array_equal(batch.inputs[row, :length], all_inputs[places])
        position = position + length
        assert batch.targets.shape == batch.inputs.shape
        assert batch.targets.shape[1] in (sequence_length + 10, max(sequence_length // 2, 1) + 10)
        assert 1 <= length <= batch.targets.shape[1]
        assert (batch.targets[:, length:] == END_ID).all()
        assert (batch.inputs[:, length:] == END_ID).all()
        assert batch.targets.dtype == batch.inputs.dtype == batch.lengths.dtype == np.int32
        assert batch.fresh.tolist() == [index == 0] * batch_size


def test_batches_are_a_function_of_seed_epoch_and_index():
    tokens = random_tokens(3000)
    batches = make(tokens, seed=5, random_offset=True)
    first = batches.batch(2, 7)
    batches.batch(0, 0)
    assert_same(first, batches.batch(2, 7))
    assert_same(first, make(tokens, seed=5, random_offset=True).batch(2, 7))
    assert_same(first, make(tokens, seed=4, random_offset=True).with_seed(5).batch(2, 7))
    fixed = make(tokens, seed=5)
    assert lengths_of(fixed, 0) == lengths_of(batches, 0)
    assert lengths_of(fixed, 0) != lengths_of(fixed, 1)
    assert lengths_of(fixed, 0) != lengths_of(make(tokens, seed=6), 0)
    for index in (-1, batches.batches_per_epoch):
        with pytest.raises(IndexError):
            batches.batch(0, index)


T = 70


@pytest.fixture(scope="module")
def long_text():
    """Two streams of 70,000 tokens, and every length of three epochs in chunks of about 70."""
    batches = make(random_tokens(140_000), sequence_length=T, seed=1)
    batch_list = [batches.batch(epoch, i) for epoch in range(3) for i in range(1025)]
    return batches, batch_list


def test_lengths_are_normal_around_the_usual_one_and_now_and_then_around_its_half(long_text):
    """Merity et al. 2018, section 4.1, with 5 % around the half; deviation 5."""
    _, batch_list = long_text
    lengths = np.array([batch.lengths[0] for batch in batch_list])
    steps = np.array([batch.targets.shape[1] for batch in batch_list])
    assert set(steps) == {T + 10, T // 2 + 10}
    short = steps == T // 2 + 10
    assert abs(short.mean() - 0.05) < 4 * np.sqrt(0.05 * 0.95 / len(lengths))
    assert np.array_equal(short, lengths < T * 3 / 4)
    for chosen, center in ((~short, T), (short, T / 2)):
        around = lengths[chosen] - center
        assert abs(around.mean()) < 4 * 5 / np.sqrt(chosen.sum())
        assert around.std() == pytest.approx(5, rel=0.2)
        assert around.max() == 10
        assert around.min() < -8
    assert lengths.mean() == pytest.approx(0.95 * T + 0.05 * T / 2, abs=0.7)


def test_an_epoch_has_a_fixed_number_of_batches_that_fill_the_text_on_average(long_text):
    batches, batch_list = long_text
    assert batches.batches_per_epoch == int(70_000 / (0.95 * T + 0.05 * T / 2)) == 1025
    assert sum(int(batch.lengths[0]) for batch in batch_list) == pytest.approx(3 * 70_000, rel=0.01)
    tokens = np.full(929_589, 5, dtype=np.int32)  # Penn Treebank
    assert make(tokens, batch_size=20, sequence_length=70).batches_per_epoch == 681


@pytest.mark.parametrize("sequence_length", [1, 2, 5, 8])
def test_a_chunk_is_never_empty_however_short_the_usual_one_is(sequence_length):
    batches = make(random_tokens(4000), sequence_length=sequence_length)
    lengths = [length for epoch in range(2) for length in lengths_of(batches, epoch)]
    assert min(lengths) >= min(5, max(sequence_length // 2, 1))
    assert max(lengths) <= sequence_length + 10
    assert np.mean(lengths) > 1 or sequence_length == 1


@pytest.mark.parametrize(("num_tokens", "sequence_length"), [(14, 4), (20, 10), (31, 20)])
def test_behind_the_last_token_of_a_text_of_one_chunk_comes_its_first(num_tokens, sequence_length):
    tokens = random_tokens(num_tokens)
    for seed in range(20):
        batches = make(
            tokens, batch_size=1, sequence_length=sequence_length, seed=seed, random_offset=True
        )
        for batch in epoch_of(batches, 0):
            length = int(batch.lengths[0])
            assert batch.targets.shape == batch.inputs.shape
            assert length <= batch.targets.shape[1]
            assert batch.targets.shape[1] in (sequence_length + 10, sequence_length // 2 + 10)
            row = batch.targets[0, :length]
            found = [
                np.array_equal(np.take(tokens, np.arange(n, n + length), mode="wrap"), row)
                for n in range(num_tokens)
            ]
            assert any(found)


@pytest.mark.parametrize("batch_size", [1, 2, 50])
@pytest.mark.parametrize(("num_tokens", "sequence_length"), [(6, 4), (13, 4), (19, 10), (29, 20)])
def test_a_text_shorter_than_the_longest_chunk_is_refused(num_tokens, sequence_length, batch_size):
    """A row would be the same text several times."""
    tokens = random_tokens(num_tokens)
    with pytest.raises(UserError) as told:
        make(tokens, batch_size=batch_size, sequence_length=sequence_length)
    assert str(told.value) == (
        f"the corpus has {num_tokens} tokens, too few for batch_size={batch_size} x "
        f"sequence_length={sequence_length}; use data.random_length=false"
    )
    StreamBatches(tokens, batch_size=1, sequence_length=sequence_length, seed=0)


def test_too_many_rows_for_a_text_are_refused_with_a_number_that_will_do():
    tokens = random_tokens(100)
    with pytest.raises(UserError, match=r"100 tokens, too few for .*; use .*batch_size=6 or less"):
        make(tokens, batch_size=50, sequence_length=6)
    assert make(tokens, batch_size=6, sequence_length=6).batches_per_epoch == 2
