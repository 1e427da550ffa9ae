"""Conditional generation: the title of a section from the first words of a paragraph.

    python experiments/titles.py --workdir=runs/titles
    python experiments/titles.py --workdir=runs/smoke --smoke

Pairs are made from the manual inside Python. A source is the first words of a paragraph, its target
the title of the section. Some whole sections are held out, so that their titles are never seen, and
some paragraphs of the other sections. A translator learns the rest. For both kinds, the experiment
prints the share of exactly right titles and chrF, both also for the most frequent title alone; then
examples. Writes titles.md and titles.json to the workdir. When started again, it continues.
"""

import argparse
import json
import pydoc_data.topics
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

sys.path.insert(0, str(Path(__file__).parents[1]))  # for configs/ and experiments/

import zoo
from configs import toy_german_attention
from experiments.timed_runs import train_timed
from zoo.data.loading import ParallelTexts
from zoo.evaluation.bleu import score_texts
from zoo.terminal import run_script

NUM_WORDS = 30  # the first words of a paragraph that are read
SHORTEST = 8  # the fewest words of a paragraph
UNSEEN_SECTIONS = 0.1  # the fraction of sections that are held out
HELD_OUT = 0.1  # the fraction of other paragraphs for validation, and again for test
STEPS = 1_500
NUM_EXAMPLES = 6

Pair = tuple[str, str]


def main() -> None:
    """Makes the pairs, trains, evaluates both kinds and prints examples."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workdir", type=Path, required=True, help="pairs, run and table")
    parser.add_argument("--smoke", action="store_true", help="train a few steps, as a test")
    arguments = parser.parse_args()
    splits = split_pairs(titled_paragraphs(pydoc_data.topics.topics))
    write_pairs(arguments.workdir / "pairs", splits)
    run = arguments.workdir / "run"
    minutes = train_timed(make_config(arguments), run, "titles")
    print(write_report(arguments.workdir, score_run(run, splits), minutes))


def titled_paragraphs(topics: Mapping[str, str]) -> dict[str, list[str]]:
    """Returns the paragraphs of prose under each title of a manual.

    Example:
        >>> text = "Names\\n*****\\n\\nA name is a word that is bound to some object."
        >>> titled_paragraphs({"naming": text})
        {'Names': ['A name is a word that is bound to some object.']}
    """
    found: dict[str, dict[str, None]] = {}
    for topic in sorted(topics):
        for title, body in _sections(topics[topic]):
            for block in re.split(r"\n\s*\n", body):
                words = block.split()
                is_code = "::=" in words or ">>>" in words
                if len(words) >= SHORTEST and words[-1][-1] in ".?!:" and not is_code:
                    found.setdefault(title, {})[" ".join(words)] = None
    return {title: list(paragraphs) for title, paragraphs in found.items()}


def _sections(text: str) -> Iterator[Pair]:
    """Returns titles, which are underlined lines, and the text up to the next title."""
    pieces = re.split(r"^(\S.*)\n([*=~^-])\2+$", text, flags=re.MULTILINE)
    return zip(pieces[1::3], pieces[3::3], strict=True)


def split_pairs(paragraphs: Mapping[str, list[str]]) -> dict[str, list[Pair]]:
    """Splits pairs of first words and title; whole sections go to `unseen`, the rest is mixed."""
    draw = random.Random(0)
    titles = sorted(paragraphs)
    draw.shuffle(titles)
    num_unseen = round(UNSEEN_SECTIONS * len(titles))
    unseen, seen = (
        [(first_words(text), title) for title in some for text in paragraphs[title]]
        for some in (titles[:num_unseen], titles[num_unseen:])
    )
    draw.shuffle(seen)
    part = round(HELD_OUT * len(seen))
    return {
        "train": seen[2 * part :],
        "valid": seen[:part],
        "test": seen[part : 2 * part],
        "unseen": unseen,
    }


def first_words(paragraph: str) -> str:
    """Returns the part of a paragraph that the model reads."""
    return " ".join(paragraph.split()[:NUM_WORDS])


def write_pairs(directory: Path, splits: Mapping[str, list[Pair]]) -> None:
    """Writes each split as two texts, NAME.paragraph and NAME.title."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, pairs in splits.items():
        for side, ending in enumerate(("paragraph", "title")):
            lines = "".join(f"{pair[side]}\n" for pair in pairs)
            (directory / f"{name}.{ending}").write_text(lines, encoding="utf-8")


def make_config(arguments: argparse.Namespace) -> ConfigDict:
    """Returns the config of the toy translator, changed for these pairs and with more dropout."""
    config = toy_german_attention.get_config()
    config.data.corpus = "parallel_text"
    config.data.directory = str(arguments.workdir / "pairs")
    config.data.source_language = "paragraph"
    config.data.target_language = "title"
    config.data.vocabulary = "subword"
    config.data.vocabulary_size = 1_000
    config.data.share_vocabulary = True
    config.data.batch_size = 32
    config.model.embedding_dropout_rate = 0.3
    config.model.output_dropout_rate = 0.3
    config.training.num_steps = STEPS
    config.training.checkpoint_every_steps = config.evaluation.every_steps = 150
    if arguments.smoke:
        config.training.num_steps = config.evaluation.every_steps = 10
        config.optimizer.warmup_steps = 2
    return config


def score_run(run: Path, splits: Mapping[str, list[Pair]]) -> list[dict[str, Any]]:
    """Returns a row for each kind of held-out paragraph."""
    checkpoint = zoo.load(run)
    commonest = Counter(title for _, title in splits["train"]).most_common(1)[0][0]
    rows = []
    for name, kind in (("test", "sections seen"), ("unseen", "sections never seen")):
        sources, titles = map(list, zip(*splits[name], strict=True))
        score = zoo.evaluate_translator(checkpoint, ParallelTexts(sources, titles, []))
        triples = list(zip(sources, titles, score.translations, strict=True))
        rows.append(
            {
                "kind": kind,
                "paragraphs": len(titles),
                "right": fraction_equal(score.translations, titles),
                "chrf": score.chrf,
                "commonest_right": titles.count(commonest) / len(titles),
                "commonest_chrf": score_texts([commonest] * len(titles), titles).chrf,
                "examples": triples[:: len(triples) // NUM_EXAMPLES][:NUM_EXAMPLES],
            }
        )
    return rows


def fraction_equal(written: tuple[str, ...], wanted: list[str]) -> float:
    """Returns the fraction of titles that are exactly right."""
    return sum(map(str.__eq__, written, wanted)) / len(wanted)


def write_report(workdir: Path, rows: list[dict[str, Any]], minutes: float) -> str:
    """Writes the table with examples, and JSON; returns the table."""
    lines = [
        "| paragraphs of | number | right | chrF | commonest title: right | chrF |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['kind']} | {row['paragraphs']} | {row['right']:.1%} | {row['chrf']:.1f} | "
        f"{row['commonest_right']:.1%} | {row['commonest_chrf']:.1f} |"
        for row in rows
    ]
    for row in rows:
        lines += ["", f"{row['kind'].capitalize()}:", ""]
        for source, title, written in row["examples"]:
            lines += [f"* {source} ...", f"  title: {title}; written: {written}"]
    text = "\n".join([*lines, "", f"Trained in {minutes:.1f} minutes.", ""])
    (workdir / "titles.md").write_text(text, encoding="utf-8")
    record = {"minutes": minutes, "rows": rows}
    (workdir / "titles.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
    return text


if __name__ == "__main__":
    run_script(main)
