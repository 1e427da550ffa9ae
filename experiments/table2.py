"""Table 2 of the lecture: language models alone and interpolated with 5-gram Kneser-Ney.

    python experiments/table2.py --data_directory=DIR --workdir=runs/table2 [--word_vectors=FILE]
    python experiments/table2.py --workdir=runs/smoke --smoke

DIR holds ptb.train.txt, ptb.valid.txt and ptb.test.txt (Penn Treebank), or train.txt, valid.txt and
test.txt (any corpus of sentences). Each row has a config of its own. It is trained, or continued if
the workdir has it. Models are chosen and weights tuned on the validation part; the test part is
scored once. Writes table2.md, table2.json and table2.png to the workdir.

The rows with word vectors need a file of vectors (word2vec or GloVe) and are left out without it.
--smoke trains everything for a few steps on the manual inside Python, as a test.
"""

import argparse
import os
import platform
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

sys.path.insert(0, str(Path(__file__).parents[1]))  # for configs/ and experiments/

import zoo
from configs import (
    penn_treebank_feedforward,
    penn_treebank_gru,
    penn_treebank_kneser_ney,
    penn_treebank_lstm_tied,
    penn_treebank_rnn_bp,
    penn_treebank_rnn_bptt,
)
from experiments.table2_report import Entry, write_report
from experiments.timed_runs import train_timed
from zoo.data.config import DataConfig
from zoo.data.loading import load_corpus
from zoo.data.word_vectors import vector_width
from zoo.errors import UserError
from zoo.evaluation.interpolation import fit_weights, interpolate, score_parts
from zoo.evaluation.modes import MODES
from zoo.terminal import run_script
from zoo.whole_file import whole_file

KN5 = "KN5"
SPLITS = ("validation", "test")


class Row(NamedTuple):
    """One row of the table.

    Attributes:
        get_config: a function that returns its config.
        settings: the fields that it changes in the config, by `section.field`.
        paper: test perplexity alone and with KN5 in Mikolov et al. 2011; None if it is not there.
        vectors: whether it starts from pre-trained vectors, whose width replaces embedding_size.
    """

    get_config: Callable[[], ConfigDict]
    settings: Mapping[str, Any] = MappingProxyType({})
    paper: tuple[float | None, float | None] = (None, None)
    vectors: bool = False


# Rows that evaluate a trained row again, while it adapts to the text. Their settings were chosen on
# the validation part.
ADAPTED: dict[str, tuple[str, dict[str, Any]]] = {
    "LSTM, dynamic": ("LSTM", {"dynamic": zoo.DynamicEvaluation()}),
    "LSTM, cache": ("LSTM", {"cache": zoo.NeuralCache()}),
}

ROWS = {
    "KN3": Row(penn_treebank_kneser_ney.get_config, {"model.order": 3}),
    KN5: Row(penn_treebank_kneser_ney.get_config, paper=(141.2, None)),
    "feed-forward": Row(penn_treebank_feedforward.get_config, paper=(141, 118)),
    "feed-forward, frozen vectors": Row(
        penn_treebank_feedforward.get_config,
        {
            "training.freeze_word_vectors": True,
            "training.num_steps": 3 * penn_treebank_feedforward.STEPS_PER_EPOCH,
        },
        vectors=True,  # they are not trained, unlike in the paper, so the paper has no figure
    ),
    "feed-forward, trained vectors": Row(
        penn_treebank_feedforward.get_config, paper=(141, 118), vectors=True
    ),
    "RNN by BP": Row(penn_treebank_rnn_bp.get_config, paper=(137, 113)),
    "RNN by BPTT(5)": Row(penn_treebank_rnn_bptt.get_config, paper=(123, 106)),
    "RNN by BPTT(35)": Row(
        penn_treebank_rnn_bptt.get_config, {"model.truncation": 0}, paper=(123, 106)
    ),
    "GRU": Row(penn_treebank_gru.get_config),
    "LSTM": Row(
        penn_treebank_lstm_tied.get_config,
        {  # half the epochs, so that the whole table takes less than 150 minutes
            "training.num_steps": 8 * penn_treebank_lstm_tied.STEPS_PER_EPOCH,
            "model.embedding_dropout_rate": 0.25,
            "model.layer_dropout_rate": 0.25,
            "model.output_dropout_rate": 0.25,
        },
    ),
}


def main() -> None:
    """Trains and evaluates the rows, and prints the table."""
    arguments = parse_arguments()
    arguments.workdir.mkdir(parents=True, exist_ok=True)
    if arguments.smoke and not arguments.word_vectors:
        arguments.word_vectors = write_random_vectors(arguments.workdir / "vectors.txt")
    corpus = describe_corpus(arguments)
    entries: list[Entry] = []
    scores: dict[str, Any] = {}
    for name, row in ROWS.items():
        if row.vectors and not arguments.word_vectors:
            print(f"{name}: left out; give --word_vectors=FILE", flush=True)
            continue
        seeds = range(arguments.num_seeds) if name not in ("KN3", KN5, "LSTM") else range(1)
        runs = [train_row(name, row, seed, arguments, corpus) for seed in seeds]
        of_seeds = [score_run(run, corpus) for run, _ in runs]
        scores[name] = of_seeds[0]
        minutes = sum(run_minutes for _, run_minutes in runs)
        entries.append(make_entry(name, row, of_seeds, scores.get(KN5), minutes))
        print(entries[-1].line(), flush=True)
    for name, (trained, settings) in ADAPTED.items():
        run = run_directory(trained, 0, arguments)
        scores[name] = score_run(run, corpus, settings)
        entries.append(make_entry(name, ROWS[trained], [scores[name]], scores.get(KN5), 0.0))
        print(entries[-1].line(), flush=True)
    entries.append(mix_all(scores))
    print(write_report(arguments.workdir, entries, describe_run(arguments, corpus)))


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_directory", default="", help="directory with the corpus")
    parser.add_argument("--workdir", type=Path, required=True, help="runs, and the table")
    parser.add_argument("--word_vectors", default="", metavar="FILE", help="word2vec or GloVe")
    parser.add_argument(
        "--num_seeds",
        type=int,
        default=1,
        help="seeds of each neural row except the LSTM, which takes longest (default: 1)",
    )
    parser.add_argument("--smoke", action="store_true", help="a few steps on the embedded corpus")
    arguments = parser.parse_args()
    if not arguments.smoke and not arguments.data_directory:
        raise UserError("there is no corpus; give --data_directory=DIR, or --smoke for a test run")
    if arguments.num_seeds < 1:
        raise UserError(f"--num_seeds is {arguments.num_seeds}; use at least 1")
    return arguments


def describe_corpus(arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns the settings of the corpus, which every row's config gets."""
    if arguments.smoke:
        return {"corpus": "python_docs", "vocabulary": "word", "vocabulary_size": 500}
    is_penn = (Path(arguments.data_directory).expanduser() / "ptb.train.txt").exists()
    corpus = "penn_treebank" if is_penn else "text_file"
    return {"corpus": corpus, "directory": arguments.data_directory, "vocabulary": "word"}


def write_random_vectors(path: Path) -> str:
    """Writes random vectors for some words of the embedded corpus, in GloVe format."""
    words = sorted({word for line in load_corpus(DataConfig())["train"] for word in line.split()})
    draw = np.random.default_rng(0).normal(size=(len(words), 20))
    lines = [
        f"{word} {' '.join(f'{number:.4f}' for number in vector)}\n"
        for word, vector in zip(words[::2], draw, strict=False)
    ]
    path.write_text("".join(lines), encoding="utf-8")
    return str(path)


def row_config(
    row: Row, seed: int, arguments: argparse.Namespace, corpus: dict[str, Any]
) -> ConfigDict:
    """Returns a row's config on this corpus."""
    config = row.get_config()
    config.update_from_flattened_dict(dict(row.settings))
    config.data.update(corpus)
    config.training.seed = seed
    config.evaluation.sample_tokens = 0
    config.evaluation.report = not arguments.smoke
    if row.vectors:
        config.data.word_vectors = arguments.word_vectors
        config.model.embedding_size = vector_width(arguments.word_vectors)
    if arguments.smoke and "num_steps" in config.training:
        config.training.num_steps = 20
        config.optimizer.warmup_steps = 5
    return config


def train_row(
    name: str, row: Row, seed: int, arguments: argparse.Namespace, corpus: dict[str, Any]
) -> tuple[Path, float]:
    """Trains or continues one row with one seed; returns its directory and minutes."""
    run = run_directory(name, seed, arguments)
    config = row_config(row, seed, arguments, corpus)
    return run, train_timed(config, run, f"{name}, seed {seed}")


def run_directory(name: str, seed: int, arguments: argparse.Namespace) -> Path:
    """Returns the directory of a row's run."""
    return arguments.workdir / f"{name.replace(' ', '_').replace(',', '')}_seed{seed}"


def score_run(
    run: Path, corpus: dict[str, Any], adapting: dict[str, Any] | None = None
) -> dict[str, np.ndarray]:
    """Returns log-probabilities of every token, by "mode split"; stored, so that they are reused.

    Args:
        run: the run's directory.
        corpus: settings of the corpus.
        adapting: how the model adapts to the text, as in `zoo.adapt`; None means that it does not.
    """
    checkpoint: Any = zoo.load(run)
    kept = run / f"scores_{checkpoint.step}{''.join(f'_{name}' for name in adapting or ())}.npz"
    if not kept.exists():
        lines = load_corpus(DataConfig(**corpus))
        if adapting:
            checkpoint = zoo.adapt(checkpoint, **adapting, training_text=lines["train"])
        scores = {
            f"{mode} {split}": score_parts([checkpoint], lines[split], mode=mode)[0]
            for mode in MODES
            for split in SPLITS
        }
        with whole_file(kept) as incomplete:
            np.savez(incomplete, **scores)
    with np.load(kept, allow_pickle=False) as stored:
        return dict(stored)


def make_entry(
    name: str,
    row: Row,
    of_seeds: list[dict[str, np.ndarray]],
    kn5: dict[str, np.ndarray] | None,
    minutes: float,
) -> Entry:
    """Returns a row's perplexities for every seed, alone and with KN5, in both modes."""
    alone: dict[str, list[float]] = {
        mode: [perplexity(scores[f"{mode} test"]) for scores in of_seeds] for mode in MODES
    }
    mixed: dict[str, list[float]] = {
        mode: [mixed_perplexity([scores, kn5], mode)[0] for scores in of_seeds]
        for mode in MODES
        if kn5 is not None and name != KN5
    }
    validation = [perplexity(scores["stream validation"]) for scores in of_seeds]
    return Entry(name, row.paper, alone, mixed, validation, minutes)


def perplexity(log_probabilities: np.ndarray) -> float:
    """Returns exp of the mean negative log-probability."""
    return float(np.exp(-log_probabilities.mean()))


def mixed_perplexity(parts: list[dict[str, np.ndarray]], mode: str) -> tuple[float, np.ndarray]:
    """Returns a mixture's test perplexity, and its weights, which are tuned on validation."""
    validation, test = (np.stack([part[f"{mode} {split}"] for part in parts]) for split in SPLITS)
    weights = fit_weights(validation).weights
    return perplexity(interpolate(test, weights)), weights


def mix_all(scores: dict[str, Any]) -> Entry:
    """Returns the mixture of the first seeds of all rows."""
    mixed: dict[str, list[float]] = {}
    weights: dict[str, np.ndarray] = {}
    for mode in MODES:
        value, found = mixed_perplexity(list(scores.values()), mode)
        mixed[mode], weights[mode] = [value], found
    listed = ", ".join(
        f"{name} {weight:.2f}"
        for name, weight in zip(scores, weights["stream"], strict=True)
        if weight >= 0.005
    )
    return Entry("all of them", (None, None), {}, mixed, [], 0.0, note=f"weights: {listed}")


def describe_run(arguments: argparse.Namespace, corpus: dict[str, Any]) -> dict[str, Any]:
    """Returns the facts that a reader of the table needs: corpus, seeds, machine and versions."""
    import jax

    is_penn = corpus["corpus"] == "penn_treebank"
    directory = Path(arguments.data_directory).name or corpus["corpus"]
    return {
        "corpus": "Penn Treebank" if is_penn else directory,
        "is_penn_treebank": is_penn,
        "word_vectors": Path(arguments.word_vectors).name,
        "num_seeds": arguments.num_seeds,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {jax.default_backend()}",
        "versions": f"Python {platform.python_version()}, jax {jax.__version__}",
    }


if __name__ == "__main__":
    run_script(main)
