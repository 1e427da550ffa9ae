"""Memory and speed of training for corpora of growing length.

    python benchmarks/corpus_growth.py --directory=growth
    python benchmarks/corpus_growth.py --directory=growth --megabytes 2000 --num_processes 2

Trains the LSTM of configs/text_file_lstm.py with 128 units for some steps on texts of random words,
from 1 to 256 MB. Two runs train on each text. `prepare` is the first, which writes the corpus to
the cache; `train` is the second, which finds it there. With several processes, a run is one run of
all of them over loopback, and a number is the largest of the processes. Writes
growth_corpus.json, with the memory of each process over time, a table and a picture.
"""

import argparse
import contextlib
import json
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.processes import peak_megabytes, run_apart
from zoo.diagnostics.pictures import COLOURS, MARKERS, picture, tidy
from zoo.training.hosts import connect, is_first

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


@contextlib.contextmanager
def memory_over_time() -> Iterator[list[tuple[float, ...]]]:
    """Yields a list that gets, ten times a second at most, the memory of this process on Linux.

    An entry has the seconds since the start, and the megabytes of anonymous memory, which only the
    process has, and of files that are mapped, such as libraries.
    """
    samples: list[tuple[float, ...]] = []
    started, ended = time.monotonic(), threading.Event()

    def watch() -> None:
        while not ended.wait(min(1.0, 0.1 + len(samples) / 100)):
            lines = Path("/proc/self/status").read_text().splitlines()
            told = dict(line.split(":", 1) for line in lines)
            memory = [int(told[name].split()[0]) / 1e3 for name in ("RssAnon", "RssFile")]
            samples.append((round(time.monotonic() - started, 1), *memory))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield samples
    finally:
        ended.set()
        watcher.join()


def measure(corpus: Path, run: Path, num_steps: int) -> dict[str, Any]:
    """Trains in this process; returns characters per second, seconds of preparation, and memory."""
    from configs import text_file_lstm
    from zoo.data.config import DataConfig
    from zoo.tasks.encoded_text import encode_corpus
    from zoo.training.loop import train

    config = text_file_lstm.get_config()
    config.data.directory, config.data.cache_directory = str(corpus), str(corpus / "cache")
    config.model.hidden_sizes = (128,)
    config.training.num_steps = config.evaluation.every_steps = num_steps
    config.training.checkpoint_every_steps = num_steps
    config.training.log_every_steps = num_steps // 4
    config.evaluation.report = False
    with memory_over_time() as samples:
        started = time.monotonic()
        encode_corpus(DataConfig(**config.data))
        seconds = time.monotonic() - started
        train(config, str(run))
    records = [json.loads(line) for line in (run / "metrics.jsonl").open()] if is_first() else []
    rates = [record["tokens_per_second"] for record in records if "tokens_per_second" in record]
    return {
        "characters_per_second": rates[-1] if rates else 0,
        "seconds": seconds,
        "peak_megabytes": peak_megabytes(),
        "anonymous_megabytes": max((own for _, own, _ in samples), default=0.0),
        "over_time": samples,
    }


def run_all(corpus: Path, num_steps: int, num_processes: int) -> list[dict[str, Any]]:
    """Trains once, in some processes together; returns what each of them measured."""
    with socket.socket() as found, tempfile.TemporaryDirectory() as run:
        found.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{found.getsockname()[1]}"
        found.close()
        arguments = [f"--measure={corpus}", f"--run={run}", f"--num_steps={num_steps}"]
        together = [f"--num_processes={num_processes}", f"--coordinator={address}"]
        with ThreadPoolExecutor(num_processes) as pool:
            started = [
                pool.submit(run_apart, __file__, *arguments, *together, f"--process_id={number}")
                for number in range(num_processes)
            ]
            return [process.result() for process in started]


def measure_all(megabytes: int, num_steps: int, num_processes: int) -> dict[str, Any]:
    """Measures the first and the second run on a new text."""
    with tempfile.TemporaryDirectory() as directory:
        corpus = Path(directory)
        for seed, (name, size) in enumerate(
            {"train": int(megabytes * 1e6), "valid": HELD_OUT, "test": HELD_OUT}.items()
        ):
            write_text(corpus / f"{name}.txt", size, seed)
        runs = {name: run_all(corpus, num_steps, num_processes) for name in ("prepare", "train")}
    found: dict[str, Any] = {"megabytes": megabytes, "processes": num_processes}
    for name, processes in runs.items():
        for measured, key in (
            ("seconds", "seconds"),
            ("peak_megabytes", "megabytes"),
            ("anonymous_megabytes", "anonymous_megabytes"),
        ):
            found[f"{name}_{key}"] = max(process[measured] for process in processes)
        found[f"{name}_over_time"] = [process["over_time"] for process in processes]
    rates = (process["characters_per_second"] for process in runs["train"])
    return found | {"characters_per_second": max(rates)}


def table(found: list[dict[str, Any]]) -> str:
    """Returns a table in Markdown."""
    lines = [
        "| training text, MB | processes | preparing, s | peak, MB | of it anonymous | "
        "prepared before, s | peak, MB | of it anonymous | characters per second |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for record in found:
        cells = [f"{record['megabytes']:,}", str(record["processes"])]
        for run in ("prepare", "train"):
            cells += [
                f"{record[f'{run}_seconds']:,.1f}",
                f"{record[f'{run}_megabytes']:,.0f}",
                f"{record[f'{run}_anonymous_megabytes']:,.0f}",
            ]
        lines.append(f"| {' | '.join([*cells, format(record['characters_per_second'], ',.0f')])} |")
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
    parser.add_argument("--num_processes", type=int, default=1, help="processes of a run")
    parser.add_argument("--measure", type=Path, metavar="DIR", help="train in this process")
    parser.add_argument("--run", type=Path, metavar="DIR", help="directory of its run")
    parser.add_argument("--coordinator", help="address of process 0")
    parser.add_argument("--process_id", type=int, help="number of this process")
    arguments = parser.parse_args()
    num_steps, num_processes = arguments.num_steps, arguments.num_processes
    if arguments.measure:
        if num_processes > 1:
            connect(arguments.coordinator, num_processes, arguments.process_id)
        print(json.dumps(measure(arguments.measure, arguments.run, num_steps)))
        return
    if arguments.directory is None:
        parser.error("--directory is missing; give a directory for JSON and picture")
    arguments.directory.mkdir(parents=True, exist_ok=True)
    found = [measure_all(size, num_steps, num_processes) for size in arguments.megabytes]
    draw(arguments.directory / "growth_corpus.png", found)
    (arguments.directory / "growth_corpus.json").write_text(json.dumps(found, indent=1) + "\n")
    print(table(found))


if __name__ == "__main__":
    main()
