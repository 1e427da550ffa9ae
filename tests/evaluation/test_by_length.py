"""Texts that are read in batches give what they give one by one, in few shapes."""

import numpy as np
import pytest

from zoo.evaluation.by_length import Shapes, read_by_length

SHAPES = Shapes(batch_size=16, lengths=(8, 32), fine_lengths=(4, 8, 16, 32))


@pytest.mark.parametrize("num_texts", [1, 3, 16, 17, 100])
def test_each_text_gets_its_own_arrays_whatever_its_batch(num_texts: int) -> None:
    rng = np.random.default_rng(num_texts)
    texts = [rng.integers(1, 100, length) for length in rng.integers(1, 41, num_texts)]
    seen: list[tuple[int, int]] = []

    def read(num_steps: int, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen.append((len(numbers), num_steps))
        padded = np.zeros((len(numbers), num_steps), int)
        for place, number in enumerate(numbers):
            padded[place, : len(texts[number])] = texts[number]
        return padded.sum(axis=1), padded

    lengths = np.array([len(text) for text in texts])
    found = read_by_length(read, lengths, SHAPES, {}, what="reading")  # type: ignore[arg-type]

    for text, (total, padded) in zip(texts, found, strict=True):
        assert total == text.sum()
        np.testing.assert_array_equal(padded[: len(text)], text)
    allowed = SHAPES.lengths if num_texts <= 16 else SHAPES.fine_lengths
    assert {size for size, _ in seen} <= {1, 2, 4, 8, 16}
    assert {steps for _, steps in seen} <= {*allowed, 64}  # 64: two times the longest length
