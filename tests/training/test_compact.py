"""Parameters in fewer bytes: how near they stay, and what may not be touched."""

import numpy as np
import pytest

from zoo.errors import UserError
from zoo.training.compact import PRECISIONS, compact, widen


def random_params() -> dict:
    draw = np.random.default_rng(0)
    sizes = 10.0 ** np.arange(-3, 4)[:, None]
    return {
        "embedding": (sizes * draw.normal(size=(7, 5))).astype(np.float32),
        "stack": {
            "kernel": draw.normal(size=(2, 3, 4)).astype(np.float32),
            "bias": draw.normal(size=5).astype(np.float32),
        },
        "count": np.arange(6, dtype=np.int32).reshape(2, 3),
        "none": np.zeros((2, 3), np.float32),
    }


def rounded(row: np.ndarray, largest: int) -> np.ndarray:
    """A row in equal levels, number by number."""
    scale = max(abs(value) for value in row) / largest
    return np.array([round(float(value / scale)) * scale if scale else 0.0 for value in row])


@pytest.mark.parametrize(("precision", "largest"), [("int8", 127), ("int6", 31)])
def test_integers_are_the_nearest_of_the_levels_of_each_row(precision: str, largest: int) -> None:
    params = random_params()
    found = widen(compact(params, precision))
    for original, read in [
        (params["embedding"], found["embedding"]),
        (params["stack"]["kernel"], found["stack"]["kernel"]),
        (params["none"], found["none"]),
    ]:
        expected = np.apply_along_axis(rounded, -1, original.astype(np.float64), largest)
        np.testing.assert_allclose(read, expected, rtol=1e-5, atol=1e-12)
        assert read.dtype == np.float32
    np.testing.assert_array_equal(found["stack"]["bias"], params["stack"]["bias"])
    np.testing.assert_array_equal(found["count"], params["count"])
    assert found["count"].dtype == np.int32


def test_what_is_stored_takes_a_byte_a_weight() -> None:
    kernel = np.ones((100, 50), np.float32)
    stored = compact({"kernel": kernel}, "int8")["kernel"]
    assert sum(array.nbytes for array in stored.values()) == 100 * 50 + 100 * 4


def test_half_precision_is_rounded_once_and_float32_is_left() -> None:
    kernel = random_params()["stack"]["kernel"]
    halved = compact({"kernel": kernel}, "half")
    np.testing.assert_array_equal(widen(halved)["kernel"], kernel.astype(np.float16))
    assert widen(halved)["kernel"].dtype == np.float32
    assert compact({"kernel": kernel}, "float32")["kernel"] is kernel


@pytest.mark.parametrize("precision", PRECISIONS)
def test_what_was_compact_can_be_stored_again(precision: str) -> None:
    params = {"kernel": random_params()["stack"]["kernel"]}
    once = widen(compact(params, precision))
    twice = widen(compact(once, precision))
    np.testing.assert_allclose(once["kernel"], twice["kernel"], rtol=1e-6)


def test_a_value_beyond_half_precision_is_told() -> None:
    with pytest.raises(UserError, match=r"kernel has values too large .*--half") as told:
        compact({"kernel": np.full((1, 2), 1e6, np.float32)}, "half")
    assert "\n" not in str(told.value)
