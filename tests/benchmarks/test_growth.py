"""The points of an axis differ in its size and its cell, and its picture and table show them."""

import pytest

from benchmarks import growth


@pytest.mark.parametrize("axis", growth.AXES)
def test_an_axis_has_every_size_for_every_cell_and_changes_nothing_else(axis):
    rows = growth.points(axis)
    cells = growth.CELLS.get(axis, ("lstm",))
    found = {(row.cell, getattr(row, axis)) for row in rows}
    assert found == {(cell, value) for cell in cells for value in growth.AXES[axis]}
    assert len({row._replace(cell="", **{axis: 0}) for row in rows}) == 1


def test_the_picture_and_the_table_show_what_was_measured(tmp_path):
    found = [
        row._asdict() | {"milliseconds": 2.0 + row.batch, "peak_megabytes": 100.0}
        for row in growth.points("batch")
    ]
    growth.draw(tmp_path, "batch", found)
    assert (tmp_path / "growth_batch.png").stat().st_size > 1000
    assert "| lstm | 128 | 130.0 | 100 |" in growth.table("batch", found)


@pytest.mark.slow
def test_a_point_is_measured():
    row = growth.BASE._replace(steps=8, batch=2, size=8)
    found = growth.measure(row, num_steps=2)
    assert found["milliseconds"] > 0
    assert found["peak_megabytes"] > 50
