"""The table of cells: each number is measured, and the table has it."""

from benchmarks.cells import MODEL, Measured, generation, line
from benchmarks.growth import measure


def test_steps_and_texts_are_measured() -> None:
    row = MODEL._replace(cell="min_gru", size=8, steps=4)
    measured = measure(row, num_steps=1)
    assert measured["milliseconds"] > 0
    assert measured["peak_megabytes"] > 100
    assert generation(row, times=1) > 0


def test_the_table_has_every_number() -> None:
    measured = Measured("lstm", [1.25, 10.0, 100.0], 1234.5, 5678.9)
    assert line(measured) == "| `lstm` | 1.2 | 10.0 | 100.0 | 1,234 | 5,679 |"
