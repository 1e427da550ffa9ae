"""The benchmark's sides train the same models, and its table says what was measured."""

import math

import pytest

from benchmarks import train_step
from benchmarks.rows import NUM_LABELS, Row, language_model_operations

TINY = {
    "language_model": Row("language_model", "lstm", 2, 16, 50, 8, 4),
    "translator": Row("translator", "gru", 1, 16, 50, 8, 4),
    "classifier": Row("classifier", "lstm", 1, 16, 50, 8, 4),
}
NEEDS = {"torch": "torch", "haiku": "haiku", "keras": "keras"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("side", "kind"),
    [
        *(("ours", kind) for kind in TINY),
        *(("torch", kind) for kind in TINY),
        ("flax", "language_model"),
        ("haiku", "language_model"),
        ("keras", "language_model"),
    ],
)
def test_every_side_learns_from_about_the_same_loss(side, kind):
    if side in NEEDS:
        pytest.importorskip(NEEDS[side])
    found = train_step.measure(side, TINY[kind], num_steps=5)
    choices = NUM_LABELS if kind == "classifier" else TINY[kind].vocabulary
    assert 0.7 * math.log(choices) < found["loss_nats"] < 1.02 * math.log(choices)
    assert found["milliseconds"] > 0
    assert found["peak_megabytes"] > 50


def test_the_table_has_medians_of_ratios_round_by_round():
    found = {
        "ours": [{"milliseconds": value} for value in (10.0, 20.0, 40.0)],
        "flax": [{"milliseconds": value} for value in (15.0, 40.0, 40.0)],
    }
    line = train_step.line("a row", found, ["torch", "flax"])
    assert line == "| a row | 20.0 |  |  | 40.0: x 1.50 (1.00-2.00) |"


def test_the_second_table_has_medians_of_what_a_start_costs():
    records = [
        {"import_seconds": value, "first_call_seconds": 2 * value, "peak_megabytes": 1000 * value}
        for value in (1.0, 2.0, 4.0)
    ]
    table = train_step.start_table({"a row": {"ours": records}}, ["ours", "torch"])
    assert table.splitlines()[-1] == "| a row | 2.0 + 4.0; 2,000 |  |"


def test_operations_are_those_of_every_product_three_times():
    row = Row("language_model", "lstm", 2, 8, 50, 5, 3)
    products = [(15, 8, 32)] * 4 + [(15, 8, 50)]  # two layers' inputs and states, and the softmax
    expected = 3 * sum(2 * n * d * h for n, d, h in products)
    assert language_model_operations(row) == expected
