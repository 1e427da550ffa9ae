"""How fast trained models are used, ours compared with PyTorch that has the same weights.

    python benchmarks/use.py                                  every use, 3 processes a side
    python benchmarks/use.py --smoke                          the same with few texts
    python benchmarks/use.py --uses classify beam --rounds 5 --json=use.json

The uses are: classify 10,000 sentences of the manual inside Python; score 10,000 of them, each by
itself; translate 1,000 German sentences of our grammar, greedily and with a beam of 5; and draw 64
samples of 500 characters. Our side loads the released checkpoint. PyTorch's side reads the file
that `python -m zoo export` writes of it. Both get texts and give texts, labels or nats.

A process measures the seconds from its start to the answer for the first text alone, then warms up
with all texts, then takes the median rate of some calls, and its peak memory. Before that, one
process a side gives its results, and the benchmark ends if they differ; our process then finds no
compiled program, and the later ones find what it stored. Two processes never run at once. Needs the
extras benchmarks and exchange.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from benchmarks.processes import median_seconds, peak_megabytes, run_apart

NUM_TEXTS = {"classify": 10_000, "score": 10_000, "greedy": 1_000, "beam": 1_000, "generate": 64}
SMOKE_TEXTS = {"classify": 40, "score": 40, "greedy": 20, "beam": 20, "generate": 4}
MAX_TOKENS, SMOKE_TOKENS = 500, 40
SIDES = ("zoo", "torch")
UNITS = {"generate": "tokens"}  # the others count texts
CLOSE = 1e-3  # the largest difference between two probabilities, or between the nats of two texts
MOST_TIES = 0.01  # the largest share of translations that may differ


def measure(
    side: str, use: str, directory: Path, times: int, started: float, file: str = ""
) -> dict[str, float]:
    """Returns the seconds to the first answer, texts or tokens a second, and the peak memory.

    Args:
        side: zoo or torch.
        use: a key of NUM_TEXTS.
        directory: the directory with the texts and the model.
        times: the number of timed calls; 0 times none.
        started: the time of day at which this process was started.
        file: a file for the results of the warm-up; "" means none.
    """
    if side == "zoo":
        from benchmarks.use_zoo import answers, build
    else:
        from benchmarks.use_torch import answers, build
    texts, call = build(use, directory)
    call(texts[:1])
    first = time.time() - started
    found = call(texts)
    if file:
        content = json.dumps(answers(use, directory, found))
        Path(file).write_text(content, encoding="utf-8")
    given = json.loads((directory / f"{use}.json").read_text(encoding="utf-8"))
    number = len(texts) * (given["max_tokens"] if use in UNITS else 1)
    rate = number / median_seconds(lambda: call(texts), times) if times else 0.0
    return {"first_seconds": first, "rate": rate, "peak_megabytes": peak_megabytes()}


def measure_apart(
    side: str, use: str, directory: Path, times: int, file: str = ""
) -> dict[str, float]:
    """Runs `measure` in a process of its own.

    Linux counts the memory of the process that starts another for the new one too. So this process
    imports nothing large.
    """
    flags = [f"--directory={directory}", f"--times={times}", f"--answers={file}"]
    return run_apart(
        __file__, "--measure", side, "--uses", use, *flags, f"--started={time.time()!r}"
    )


def difference(use: str, ours: Any, theirs: Any) -> str:
    """Returns what differs in the results of both sides; "" if they agree.

    Samples cannot be equal. The most probable text is compared, and the mean nats per token of the
    samples, each by the model that drew it: they may differ by four standard errors.
    """
    if use == "generate":
        if ours["likeliest"] != theirs["likeliest"]:
            return f"most probable text {ours['likeliest']!r} and {theirs['likeliest']!r}"
        means = [statistics.fmean(side["nats"]) for side in (ours, theirs)]
        spreads = [statistics.variance(side["nats"]) for side in (ours, theirs)]
        allowed = 4 * sum(spread / len(ours["nats"]) for spread in spreads) ** 0.5
        far = abs(means[0] - means[1]) > allowed or len(ours["nats"]) != len(theirs["nats"])
        return f"samples of {means[0]:.3f} and {means[1]:.3f} nats per token" if far else ""
    pairs = list(zip(ours, theirs, strict=True))
    apart = [pair for pair in pairs if not _agree(use, *pair)]
    allowed = MOST_TIES * len(pairs) if use in ("greedy", "beam") else 0
    if len(apart) <= allowed:
        return ""
    return f"{len(apart)} of {len(pairs)} results, first {apart[0][0]!r} and {apart[0][1]!r}"


def _agree(use: str, ours: Any, theirs: Any) -> bool:
    if use == "classify":
        pairs = zip(ours[1], theirs[1], strict=True)
        same = all(abs(a - b) <= CLOSE for a, b in pairs)
        top = sorted(ours[1])[-2:]
        return same and (ours[0] == theirs[0] or top[1] - top[0] < CLOSE)
    if use == "score":
        return abs(ours - theirs) <= CLOSE
    return ours == theirs


def compare(
    use: str, directory: Path, rounds: int, times: int, *, smoke: bool
) -> dict[str, list[dict[str, float]]]:
    """Returns the measurements of each side: at first the process that was checked, then rounds."""
    texts = (SMOKE_TEXTS if smoke else NUM_TEXTS)[use]
    tokens = SMOKE_TOKENS if smoke else MAX_TOKENS
    script = str(REPOSITORY / "benchmarks/use_zoo.py")
    run_apart(script, use, str(directory), str(texts), str(tokens))
    files = {side: directory / f"{use}_{side}.json" for side in SIDES}
    found = {
        side: [measure_apart(side, use, directory, 0, str(file))] for side, file in files.items()
    }
    results = [json.loads(file.read_text(encoding="utf-8")) for file in files.values()]
    told = difference(use, *results)
    if told:
        raise SystemExit(f"error: zoo and torch differ in {use}: {told}")
    for _ in range(rounds):
        for side in SIDES:
            found[side].append(measure_apart(side, use, directory, times))
    return found


def line(use: str, found: dict[str, list[dict[str, float]]]) -> str:
    """Returns a row of the table; ratios are taken round by round, and their median is given."""
    cold, ours, theirs = found["zoo"][0], found["zoo"][1:], found["torch"][1:]
    cells = [use]
    for name, form in (("rate", ",.0f"), ("first_seconds", ".1f"), ("peak_megabytes", ",.0f")):
        medians = [statistics.median(record[name] for record in side) for side in (ours, theirs)]
        told = [format(value, form) for value in medians]
        if name == "first_seconds":
            told[0] += f" (no program stored: {cold[name]:{form}})"
        ratios = sorted(a[name] / b[name] for a, b in zip(ours, theirs, strict=True))
        spread = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"
        cells += [*told, spread]
    return f"| {' | '.join(cells)} |"


def heads() -> str:
    """Returns the first two lines of the table."""
    of_each = ("texts (generate: tokens) per s", "first answer, s", "peak, MB")
    names = ["use"]
    for what in of_each:
        names += [f"ours: {what}", "PyTorch", "ratio"]
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}"


def main() -> None:
    """Prints the table, or with --measure the measurements of one side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--uses", nargs="+", choices=NUM_TEXTS, default=list(NUM_TEXTS))
    parser.add_argument("--rounds", type=int, default=3, help="timed processes per side and use")
    parser.add_argument("--times", type=int, default=3, help="timed calls per process")
    parser.add_argument("--smoke", action="store_true", help="few texts, to try the script")
    parser.add_argument("--json", type=Path, help="file for all measurements")
    parser.add_argument("--measure", choices=SIDES, help="one side in this process")
    for name in ("--directory", "--answers", "--started"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        place, started = Path(given.directory), float(given.started)
        found = measure(given.measure, given.uses[0], place, given.times, started, given.answers)
        print(json.dumps(found))
        return
    print(heads())
    results = {}
    with tempfile.TemporaryDirectory() as directory:
        os.environ["ZOO_CACHE"] = directory  # where our side stores its compiled programs
        for use in given.uses:
            own = Path(directory)
            results[use] = compare(use, own, given.rounds, given.times, smoke=given.smoke)
            print(line(use, results[use]), flush=True)
    if given.json:
        machine = {"machine": platform.machine(), "cores": os.cpu_count()}
        given.json.write_text(json.dumps({**machine, "uses": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
