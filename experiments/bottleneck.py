"""The bottleneck of one vector: BLEU by source length, with and without attention.

    python experiments/bottleneck.py --workdir=runs/bottleneck
    python experiments/bottleneck.py --workdir=runs/bottleneck --encoders=gru --decoders=gru,lstm
    python experiments/bottleneck.py --workdir=runs/smoke --smoke

Trains every encoder with every decoder on a toy language, through one vector and with attention,
from the config of toy_german_attention. Prints BLEU on the test split (greedy), the alignment error
rate, parameters and minutes. Draws BLEU against the length of the source, with and without
attention (the figure of Bahdanau et al. 2015). Writes bottleneck.md, bottleneck.json and
bottleneck.png to the workdir. When started again, it continues, and scores nothing twice.
"""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # for configs/ and experiments/

import zoo
from configs import toy_german_attention
from experiments.timed_runs import train_timed
from zoo.data.config import ParallelDataConfig
from zoo.data.loading import ParallelTexts, load_parallel_corpus
from zoo.diagnostics.pictures import COLOURS, MARKERS, picture, tidy
from zoo.errors import UserError
from zoo.evaluation.bleu import score_texts
from zoo.models.encoder_decoder import CONTEXTS
from zoo.terminal import run_script
from zoo.whole_file import whole_file

KINDS = ("feedforward", "elman", "gru", "lstm", "transformer")
BIN = 5  # words of source length
FIGURE = "gru"  # the encoder and decoder of the picture


def main() -> None:
    """Trains, scores and prints the grid."""
    arguments = parse_arguments()
    arguments.workdir.mkdir(parents=True, exist_ok=True)
    rows = []
    for encoder in arguments.encoders:
        for decoder in arguments.decoders:
            for context in arguments.contexts:
                run, minutes = train_cell(arguments, encoder, decoder, context)
                rows.append(score_once(run, arguments) | {"minutes": minutes})
                print(line(rows[-1]), flush=True)
    print(write_report(arguments.workdir, rows))


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workdir", type=Path, required=True, help="runs, table and picture")
    choices = {"encoders": KINDS, "decoders": KINDS, "contexts": CONTEXTS}
    for name, kinds in choices.items():
        parser.add_argument(f"--{name}", default=",".join(kinds), help="names, with commas between")
    parser.add_argument("--smoke", action="store_true", help="one encoder and decoder, a few steps")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.encoders = arguments.decoders = FIGURE
    for name, kinds in choices.items():
        chosen = getattr(arguments, name).split(",")
        setattr(arguments, name, chosen)
        for kind in chosen:
            if kind not in kinds:
                raise UserError(f"--{name} names {kind!r}; use some of {','.join(kinds)}")
    return arguments


def train_cell(
    arguments: argparse.Namespace, encoder: str, decoder: str, context: str
) -> tuple[Path, float]:
    """Trains or continues one cell of the grid; returns its directory and minutes."""
    config = toy_german_attention.get_config()
    config.model.encoder, config.model.decoder = encoder, decoder
    config.model.context = context
    config.evaluation.every_steps = config.training.num_steps
    config.evaluation.report = False
    if "transformer" in (encoder, decoder):
        config.optimizer.learning_rate = 1e-3
    if arguments.smoke:
        config.training.num_steps = config.evaluation.every_steps = 10
        config.optimizer.warmup_steps = 2
    run = arguments.workdir / f"{encoder}_{decoder}_{context}"
    return run, train_timed(config, run, f"{encoder} to {decoder} by {context}")


def score_once(run: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns the row of a cell, from its directory if it has been scored before."""
    stored = run / "row.json"
    if not stored.exists():
        row = score_cell(run, arguments)
        with whole_file(stored) as incomplete:
            incomplete.write_text(json.dumps(row), encoding="utf-8")
    return json.loads(stored.read_text(encoding="utf-8"))


def score_cell(run: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns one row: the scores on the test split, with BLEU by source length."""
    checkpoint = zoo.load(run)
    pairs = load_parallel_corpus(ParallelDataConfig(**checkpoint.config["data"]))["test"]
    if arguments.smoke:
        pairs = ParallelTexts(pairs.sources[:64], pairs.targets[:64], pairs.alignments[:64])
    score = zoo.evaluate_translator(checkpoint, pairs, beam_size=1)
    settings = checkpoint.config["model"]
    sizes = (np.size(leaf) for leaf in jax.tree.leaves(checkpoint.params))
    return {
        "encoder": settings["encoder"],
        "decoder": settings["decoder"],
        "context": settings["context"],
        "bleu": score.bleu,
        "alignment_error_rate": score.alignment_error_rate,
        "num_parameters": int(sum(sizes)),
        "bleu_by_length": bleu_by_length(score.translations, pairs),
    }


def bleu_by_length(translations: tuple[str, ...], pairs: ParallelTexts) -> dict[int, float]:
    """Returns the BLEU of sources with 1 to 5, 6 to 10, ... words, by the last number."""
    classes: dict[int, list[tuple[str, str]]] = {}
    for source, target, translation in zip(pairs.sources, pairs.targets, translations, strict=True):
        longest = math.ceil(len(source.split()) / BIN) * BIN
        classes.setdefault(longest, []).append((translation, target))
    found = {}
    for longest, members in sorted(classes.items()):
        written, wanted = zip(*members, strict=True)
        found[longest] = score_texts(written, wanted).bleu
    return found


def line(row: dict[str, Any]) -> str:
    """Returns a row of the table, in Markdown."""
    rate = row["alignment_error_rate"]
    return (
        f"| {row['encoder']} | {row['decoder']} | {row['context']} | {row['bleu']:.1f} | "
        f"{'-' if rate is None else f'{rate:.3f}'} | {row['num_parameters']:,} | "
        f"{row['minutes']:.1f} |"
    )


def write_report(workdir: Path, rows: list[dict[str, Any]]) -> str:
    """Writes the table, the JSON file and the picture; returns the table."""
    head = "| encoder | decoder | context | BLEU | alignment error rate | parameters | minutes |"
    table = "\n".join([head, "|---|---|---|---|---|---|---|", *map(line, rows)]) + "\n"
    (workdir / "bottleneck.md").write_text(table, encoding="utf-8")
    (workdir / "bottleneck.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    kinds = [(row["encoder"], row["decoder"]) for row in rows]
    drawn = (FIGURE, FIGURE) if (FIGURE, FIGURE) in kinds else kinds[0]
    draw(
        workdir / "bottleneck.png",
        [row for row in rows if drawn == (row["encoder"], row["decoder"])],
    )
    return table


def draw(path: Path, rows: list[dict[str, Any]]) -> None:
    """Draws BLEU against source length, with a line for each context."""
    names = {"vector": "one vector", "attention": "attention"}
    with picture(path, (6.4, 4)) as (_, axes):
        for row, colour, marker in zip(rows, COLOURS, MARKERS, strict=False):
            by_length = row["bleu_by_length"]
            lengths = [int(longest) - BIN / 2 for longest in by_length]
            label = names[row["context"]]
            axes.plot(lengths, list(by_length.values()), color=colour, marker=marker, label=label)
        axes.set_xlabel("words of the source")
        axes.set_ylabel("BLEU, test split, greedy")
        axes.set_ylim(0, 102)
        axes.set_title(f"{rows[0]['encoder']} to {rows[0]['decoder']}, toy German to English")
        axes.legend(loc="center right")  # above the one curve, below the other
        tidy(axes)


if __name__ == "__main__":
    run_script(main)
