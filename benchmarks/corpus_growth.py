"""Memory and speed of training for corpora of growing length.

    python benchmarks/corpus_growth.py --directory=growth

Trains the LSTM of configs/text_file_lstm.py with 128 units for some steps on texts of random words,
from 1 to 256 MB. Two processes train on each text. `prepare` is the first, which writes the corpus
to the cache; `train` is the second, which finds it there. Writes growth_corpus.json, a table and a
picture.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.processes import peak_megabytes, run_apart
from zoo.diagnostics.pictures import COLOURS, MARKERS, picture, tidy

MEGABYTES = (1, 4, 16, 64, 256)
NUM_WORDS, LINE = 2_000, 12  # number of different words, and of words in a line
HELD_OUT = 100_000  # bytes of the validation text, which is kept in memory, and of the test text


def write_text(path: Path, num_bytes: int, seed: int) -> None:
    """Writes lines of random words, a megabyte at a time."""
    draw = np.random.default_rng(seed)
    letters = draw.integers(ord("a"), ord("z") + 1, (NUM_WORDS, 7)).astype(np.uint8)
    words = [bytes(row[: 2 + index % 6]).decode() for index, row in enumerate(letters)]
    with path.open("w", encoding="ascii") as file:
        while file.tell() < num_bytes:
            drawn = draw.integers(0, NUM_WORDS, (min(num_bytes // 60 + 1, 17_000), LINE))
            file.writelines(" ".join(words[number] for number in row) + "\n" for row in drawn)


def measure(corpus: Path, num_steps: int) -> dict[str, float]:
    """Trains in this process; returns characters per second and the peak of memory."""
    from configs import text_file_lstm
    from zoo.training.loop import train

    config = text_file_lstm.get_config()
    config.data.directory, config.data.cache_directory = str(corpus), str(corpus / "cache")
    config.model.hidden_sizes = (128,)
    config.training.num_steps = config.evaluation.every_steps = num_steps
    config.training.checkpoint_every_steps = num_steps
    config.training.log_every_steps = num_steps // 4
    config.evaluation.report = False
    with tempfile.TemporaryDirectory() as run:
        train(config, run)
        records = [json.loads(line) for line in (Path(run) / "metrics.jsonl").open()]
    rates = [record["tokens_per_second"] for record in records if "tokens_per_second" in record]
    return {"characters_per_second": rates[-1], "peak_megabytes": peak_megabytes()}


def measure_all(megabytes: int, num_steps: int) -> dict[str, float]:
    """Measures the first and the second process on a new text."""
    with tempfile.TemporaryDirectory() as directory:
        corpus = Path(directory)
        for seed, (name, size) in enumerate(
            {"train": int(megabytes * 1e6), "valid": HELD_OUT, "test": HELD_OUT}.items()
        ):
            write_text(corpus / f"{name}.txt", size, seed)
        arguments = (f"--measure={corpus}", f"--num_steps={num_steps}")
        prepare, train = (run_apart(__file__, *arguments) for _ in range(2))
    return {
        "megabytes": megabytes,
        "prepare_megabytes": prepare["peak_megabytes"],
        "train_megabytes": train["peak_megabytes"],
        "characters_per_second": train["characters_per_second"],
    }


def table(found: list[dict[str, Any]]) -> str:
    """Returns a table in Markdown."""
    lines = [
        "| training text, MB | peak while preparing, MB | peak while training, MB | "
        "characters per second |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {record['megabytes']:,} | {record['prepare_megabytes']:,.0f} | "
        f"{record['train_megabytes']:,.0f} | {record['characters_per_second']:,.0f} |"
        for record in found
    ]
    return "\n".join(lines) + "\n"


def draw(path: Path, found: list[dict[str, Any]]) -> None:
    """Draws peak memory against the length of the text."""
    with picture(path, (6, 4)) as (_, axes):
        for number, name in enumerate(("prepare", "train")):
            axes.plot(
                [record["megabytes"] for record in found],
                [record[f"{name}_megabytes"] for record in found],
                label=name,
                color=COLOURS[number],
                marker=MARKERS[number],
            )
        axes.set_xscale("log", base=2)
        axes.set_ylim(0, 1.1 * max(record["prepare_megabytes"] for record in found))
        axes.set_xlabel("training text, MB")
        axes.set_ylabel("peak memory, MB")
        axes.legend()
        tidy(axes)


def main() -> None:
    """Measures, and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--directory", type=Path, help="directory for JSON and picture")
    parser.add_argument("--megabytes", type=int, nargs="+", default=MEGABYTES)
    parser.add_argument("--num_steps", type=int, default=200, help="training steps per process")
    parser.add_argument("--measure", type=Path, metavar="DIR", help="train in this process")
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, arguments.num_steps)))
        return
    if arguments.directory is None:
        parser.error("--directory is missing; give a directory for JSON and picture")
    arguments.directory.mkdir(parents=True, exist_ok=True)
    found = [measure_all(megabytes, arguments.num_steps) for megabytes in arguments.megabytes]
    draw(arguments.directory / "growth_corpus.png", found)
    (arguments.directory / "growth_corpus.json").write_text(json.dumps(found, indent=1) + "\n")
    print(table(found))


if __name__ == "__main__":
    main()
