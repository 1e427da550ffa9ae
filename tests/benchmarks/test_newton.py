"""The benchmark of Newton's method tells times, rounds and errors of each way."""

from benchmarks.newton import WAYS, measure


def test_each_way_is_timed_and_gives_what_the_loop_gives():
    found = measure("gru", 3, 12, times=1)
    assert {f"{way}_{kind}" for way in WAYS for kind in ("forward", "both")} <= found.keys()
    assert all(found[f"{way}_forward"] > 0 for way in WAYS)
    for way in WAYS[1:]:
        assert found[f"{way}_error"] < 1e-5
        assert 1 < found[f"{way}_rounds"] <= 12
