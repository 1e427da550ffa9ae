"""Uses the installed zoo from training to translation; fails at the first command that does.

    PYTHON tests/versions/main_job.py [--extras]

The interpreter that runs this script is the one that is tried. All commands but train.py run away
from this checkout, so they find the zoo that is installed. With --extras, the commands that need
the optional packages run too.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
TRAIN = (
    str(ROOT / "train.py"),
    f"--config={ROOT / 'configs' / 'python_docs_lstm.py'}",
    "--config.model.embedding_size=8",
    "--config.model.hidden_sizes=(16,)",
    "--config.training.num_steps=20",
    "--config.training.log_every_steps=10",
    "--config.training.checkpoint_every_steps=10",
    "--config.evaluation.every_steps=10",
    "--config.evaluation.sample_tokens=20",
)
PROMPT = "The for statement"
CLAUSE = "The else clause is executed when the loop ends."
GERMAN, ENGLISH = "das Kind wacht auf .", "the child wakes ."


def is_classified(printed: str) -> bool:
    """Whether the output of `classify` names the topic of CLAUSE."""
    return json.loads(printed)["labels"] == ["compound statements"]


def is_scored(printed: str) -> bool:
    """Whether `evaluate` printed a perplexity that a model of some 100 characters can have."""
    return 1 < json.loads(printed)["perplexity"] < 150


def is_translated(printed: str) -> bool:
    """Whether `translate` printed the translation of GERMAN."""
    return printed.strip() == ENGLISH


def run(directory: Path, *arguments: str, expect: Callable[[str], bool] = bool) -> None:
    """Runs Python with these arguments in the directory, and checks what it prints.

    Raises:
        SystemExit: the command failed, or `expect` is false of its standard output.
    """
    shown = " ".join(arguments).replace(f"{ROOT}{os.sep}", "")
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, *arguments], cwd=directory, capture_output=True, text=True
    )
    if done.returncode != 0 or not expect(done.stdout):
        print(done.stdout, done.stderr, sep="\n")
        sys.exit(f"failed with exit code {done.returncode}: python {shown}")
    print(f"{time.monotonic() - start:5.1f} s  python {shown[:90]}", flush=True)


def run_main_job(directory: Path) -> None:
    """Trains a small model, and generates, evaluates, classifies and translates."""
    zoo = ("-m", "zoo")
    run(directory, *TRAIN, "--workdir=run")
    run(directory, *TRAIN, "--workdir=run", expect=lambda printed: "20" in printed)  # goes on
    run(directory, *zoo, "generate", "run", "--max_tokens=20")
    run(directory, *zoo, "evaluate", "run", "--split=test", "--json", expect=is_scored)
    run(
        *(directory, *zoo, "generate", "python_docs_lstm", f"--prompt={PROMPT}"),
        expect=lambda printed: printed.startswith(PROMPT),
    )
    run(directory, *zoo, "classify", "python_docs_topics", CLAUSE, expect=is_classified)
    run(directory, *zoo, "translate", "toy_german_attention", GERMAN, expect=is_translated)


def train_on_two_hosts(directory: Path) -> None:
    """Trains a model whose matrices are split over two processes, which write its checkpoints."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    flags = ("--workdir=hosts", "--config.mesh.model=2", "--num_processes=2")
    hosts = [
        subprocess.Popen(
            [
                sys.executable,
                *TRAIN,
                *flags,
                f"--coordinator=127.0.0.1:{port}",
                f"--process_id={n}",
            ],
            cwd=directory,
            stdout=subprocess.DEVNULL,
        )
        for n in range(2)
    ]
    assert [host.wait() for host in hosts] == [0, 0]
    print("         python train.py, two processes")
    run(directory, "-m", "zoo", "generate", "hosts", "--max_tokens=20")


def run_extras(directory: Path) -> None:
    """Uses each optional package."""
    zoo = ("-m", "zoo")
    (directory / "source.txt").write_text(f"{GERMAN}\n", encoding="utf-8")
    (directory / "target.txt").write_text(f"{ENGLISH}\n", encoding="utf-8")
    draw = ("--picture=alignment.png", "toy_german_attention", GERMAN)
    run(directory, *zoo, "translate", *draw, expect=is_translated)
    sides = ("--source=source.txt", "--target=target.txt")
    run(directory, *zoo, "evaluate", "toy_german_attention", *sides, "--json")
    run(directory, *zoo, "export", "run", "run.safetensors", expect=lambda printed: True)
    run(directory, *zoo, "generate", "run.safetensors", "--max_tokens=20")
    run(directory, *zoo, "export", "run", "run.stablehlo", expect=lambda printed: True)
    subwords = ("--config.data.vocabulary=subword", "--config.data.vocabulary_size=300")
    tensorboard = "--config.training.tensorboard=True"
    run(directory, *TRAIN, *subwords, tensorboard, "--workdir=subwords")
    for name in ("alignment.png", "run.stablehlo"):
        assert (directory / name).stat().st_size > 0
    assert list((directory / "subwords").rglob("events.out.tfevents.*"))
    serve(directory)


def serve(directory: Path) -> None:
    """Serves a model on a free port of this computer, reads its page and ends the server.

    Raises:
        SystemExit: the server did not start.
    """
    command = [sys.executable, "-m", "zoo", "serve", "run", "--port=0"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=directory, stdout=pipe, stderr=pipe, text=True) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        said = server.stdout.readline()
        try:
            address = next((word for word in said.split() if word.startswith("http")), None)
            if address is None:
                sys.exit(f"{server.stderr.read()}\nfailed: python -m zoo serve run --port=0")
            with urllib.request.urlopen(address, timeout=60) as answer:
                assert b"<html" in answer.read()
        finally:
            server.send_signal(signal.SIGINT)
    print("         python -m zoo serve run --port=0")


def main() -> None:
    """Runs the commands in a directory and a corpus cache of their own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--extras", action="store_true", help="use the optional packages too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        os.environ["ZOO_CACHE"] = str(directory / "cache")
        run_main_job(directory)
        train_on_two_hosts(directory)
        if arguments.extras:
            run_extras(directory)


if __name__ == "__main__":
    main()
