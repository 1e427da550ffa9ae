"""The linear baseline learns what words say, and is chosen on validation."""

import pytest

from benchmarks.linear_baseline import measure
from zoo.data.config import LabeledDataConfig

pytest.importorskip("sklearn", exc_type=ImportError)


def test_it_learns_a_table_whose_words_are_its_labels(tmp_path):
    table = tmp_path / "table.csv"
    lines = [f"word{n % 4} filler{n % 7},label{n % 4}" for n in range(80)]
    table.write_text("\n".join(["text,label", *lines]), encoding="utf-8")
    data = LabeledDataConfig(
        corpus="table_file", directory=str(table), cache_directory=str(tmp_path / "cache")
    )
    assert measure(data, score_test=True)[:2] == (1.0, 1.0)
    assert measure(data, score_test=False).test is None
