"""The table of docs/scaling.md is what benchmarks/scaling.py prints."""

from pathlib import Path

from benchmarks import scaling

ROOT = Path(__file__).parents[2]


def test_the_page_has_the_computed_table(capsys):
    scaling.main()
    page = (ROOT / "docs/scaling.md").read_text("utf-8")
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(scaling.MESHES)
    assert "\n".join(table) in page


def test_memory_is_that_of_parameters_gradient_and_two_moments_divided_by_the_model_axis():
    state = scaling.model_state()
    num_params = 65_536 * 6_144 + 65_536 + 2 * (2 * 6_144 * 4 * 6_144 + 4 * 6_144)
    whole, quarter = scaling.needs(state, 8, 1), scaling.needs(state, 2, 4)
    assert abs(whole.state - 16 * num_params / 1e9) < 1e-6
    assert abs(quarter.state - whole.state / 4) < 1e-6
