"""Time from a text to an ARPA file of order 5, ours compared with KenLM's lmplz.

    python benchmarks/kneser_ney.py --text=FILE

FILE has one sentence per line, with its words separated by spaces. Each side reads it, counts,
estimates and writes the model; their processes alternate. Only ours is measured if lmplz is not on
the PATH; --lmplz=PATH says where it is.
"""

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

ORDER = 5


class Took(NamedTuple):
    """The time of a process: seconds by the clock, and seconds of all cores."""

    elapsed: float
    processor: float


def estimate(text: Path, arpa: Path) -> None:
    """Estimates our model in this process."""
    from zoo.data.text_reading import read_lines
    from zoo.data.vocabulary import build_vocabulary, encode_lines
    from zoo.exchange.arpa import write_arpa
    from zoo.models.kneser_ney import estimate as estimate_kneser_ney
    from zoo.models.ngram_lm import NGramConfig

    lines = [line.removesuffix("\n") for line in read_lines(text)]
    vocabulary = build_vocabulary("word", lines)
    tokens = encode_lines(vocabulary, lines)
    found = estimate_kneser_ney(tokens, NGramConfig(order=ORDER), len(vocabulary))
    write_arpa(arpa, found.params, vocabulary)


def timed(command: list[str]) -> Took:
    """Runs a command to its end; an error of the command ends this process with one line."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise SystemExit(f"error: {command[0]} cannot be started: {error.strerror}") from error
    elapsed, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if result.returncode:
        told = result.stderr.strip().splitlines()[-1:]
        raise SystemExit(f"error: {command[0]} failed: {' '.join(told)}")
    return Took(elapsed, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def commands(text: Path, directory: Path, lmplz: str | None) -> dict[str, list[str]]:
    """Returns the command of each side."""
    arpa = str(directory / "model.arpa")
    sides = {"ours": [sys.executable, __file__, f"--text={text}", f"--estimate={arpa}"]}
    if lmplz:  # with --skip_symbols it accepts the word <unk>, which the Penn Treebank has
        options = ["--order", str(ORDER), "--text", str(text), "--arpa", arpa]
        sides["lmplz"] = [lmplz, *options, "--skip_symbols"]
    return sides


def table(found: dict[str, list[Took]]) -> str:
    """Returns a table in Markdown."""
    lines = ["| side | seconds, median (least to most) | of processor, median |", "|---|---|---|"]
    for side, took in found.items():
        elapsed = [one.elapsed for one in took]
        processor = statistics.median(one.processor for one in took)
        lines.append(
            f"| {side} | {statistics.median(elapsed):.2f} ({min(elapsed):.2f} to "
            f"{max(elapsed):.2f}) | {processor:.2f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--text", type=Path, required=True, help="a file, one sentence per line")
    parser.add_argument("--lmplz", default=shutil.which("lmplz"), help="path of lmplz")
    parser.add_argument("--rounds", type=int, default=5, help="processes per side")
    parser.add_argument("--estimate", type=Path, metavar="ARPA", help="estimate in this process")
    arguments = parser.parse_args()
    if arguments.estimate:
        estimate(arguments.text, arguments.estimate)
        return
    if not arguments.lmplz:
        print("lmplz is not on the PATH; only ours is measured (--lmplz=PATH says where it is)")
    found: dict[str, list[Took]] = {}
    with tempfile.TemporaryDirectory() as directory:
        sides = commands(arguments.text, Path(directory), arguments.lmplz)
        for _ in range(arguments.rounds):
            for side, command in sides.items():
                found.setdefault(side, []).append(timed(command))
    print(table(found))


if __name__ == "__main__":
    main()
