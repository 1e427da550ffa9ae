"""`python -m zoo evaluate`: how well a language model, a classifier or a translator does."""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.commands.adapting import (
    adapt_as_asked,
    add_adapting_arguments,
    check_adapting,
    is_asked,
    reads_corpus,
)
from zoo.commands.lines import read_plain, tell_unknown_share
from zoo.commands.own_corpus import (
    corpus_lines,
    flags_of_commands,
    note_other_text,
    own_data_config,
)
from zoo.data.fingerprints import of_labeled, of_pairs
from zoo.data.sources import SPLITS
from zoo.errors import UserError
from zoo.evaluation.modes import MODES

if TYPE_CHECKING:
    from zoo.data.labeled_corpora import LabeledTexts
    from zoo.data.parallel_corpora import ParallelTexts
    from zoo.hub import Checkpoint

SUMMARY = "measure a language model (perplexity), classifier (accuracy, F1) or translator (BLEU)"
EXAMPLES = """\
examples:
  python -m zoo evaluate runs/demo --split=test
  python -m zoo evaluate runs/demo --split=test --mode=sentence --json
  python -m zoo evaluate runs/demo --text=notes.txt
  python -m zoo evaluate runs/topics --split=test --picture=confusion.png
  python -m zoo evaluate runs/topics --text=labelled.csv --json
  python -m zoo evaluate runs/toy_german --split=test --beam_size=5
  python -m zoo evaluate runs/toy_german --source=my.de --target=my.en --json

Of a language model every token is scored, each sentence's end among them, and none twice.
CHECKPOINT is a released name (see `python -m zoo list`), a run's directory, whose best step it
then is, one step's directory, or a file that `export` wrote.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    parser.add_argument(
        "checkpoint", metavar="CHECKPOINT", help="a released name, a directory or a file"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--split",
        choices=SPLITS,
        default="validation",
        help="the part of the checkpoint's own corpus to score (default: %(default)s)",
    )
    source.add_argument(
        "--text",
        metavar="FILE",
        help="a UTF-8 text file to score instead; for a "
        "classifier a .csv, .tsv or .jsonl with the columns it was trained with",
    )
    source.add_argument("--source", metavar="FILE", help="of a translator: source lines to score")
    parser.add_argument("--target", metavar="FILE", help="their reference translations")
    parser.add_argument(
        "--beam_size", type=int, help="of a translator: width of the search (default: 5)"
    )
    parser.add_argument(
        "--data_directory",
        metavar="DIR",
        help="where the corpus of a --split lies; needed if it is read from files",
    )
    parser.add_argument(
        "--mode",
        choices=MODES,
        help="of a language model; stream: the state is carried over sentences; sentence: it "
        f"starts anew at each (default: {MODES[0]})",
    )
    parser.add_argument(
        "--picture", metavar="FILE", help="draw a classifier's confusions: .png, .svg or .pdf"
    )
    add_adapting_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> None:
    """Scores the text and prints the numbers.

    Raises:
        UserError: the checkpoint, the corpus or the text file is missing or damaged.
    """
    record = measure(arguments)
    if arguments.json:
        print(json.dumps(record, ensure_ascii=False))
        return
    by_label = record.pop("by_label", None)
    for name, value in record.items():
        if name != "confusion":
            text = f"{value:.4f}" if isinstance(value, float) else str(value)
            if name.startswith(("dynamic_", "cache_")):
                text = f"{value:g}"  # settings, to be typed again
            print(f"{name:18}  {text}")
    if by_label:
        from zoo.evaluation.classification import LabelScore, label_table

        print(f"\n{label_table([LabelScore(**row) for row in by_label])}")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """The scores by name, of what the arguments say; errors as those of `run`."""
    own = arguments.text or arguments.source
    check_adapting(arguments)
    if own is not None and arguments.data_directory is not None and not reads_corpus(arguments):
        raise UserError("--data_directory is where a --split lies; leave it out with a file")
    if (arguments.source is None) != (arguments.target is None):
        raise UserError("--source and --target are two files that belong together; give both")
    if arguments.text is not None and not Path(arguments.text).is_file():
        read_plain(arguments.text)  # which says why it can't be read, before anything slow
    import zoo

    checkpoint = zoo.load(arguments.checkpoint)
    if checkpoint.source_vocabulary:
        scores = _measure_translator
    else:
        scores = _measure_classifier if checkpoint.labels else _measure_language_model
        if arguments.source is not None or arguments.beam_size is not None:
            raise UserError("--source, --target and --beam_size are for a translator; use --text")
    if scores is not _measure_language_model and is_asked(arguments):
        raise UserError("--dynamic and --cache are for a language model; leave them out")
    source = {"split": arguments.split} if own is None else {"text": own}
    head = {"checkpoint": str(checkpoint.directory), "step": checkpoint.step, **source}
    return head | scores(checkpoint, arguments)


def _measure_language_model(
    checkpoint: "Checkpoint", arguments: argparse.Namespace
) -> dict[str, Any]:
    import zoo

    if arguments.picture:
        raise UserError("--picture is of a classifier's confusions; leave it out")
    lines: str | list[str] = (
        corpus_lines(checkpoint, arguments.split, arguments.data_directory)
        if arguments.text is None
        else read_plain(arguments.text)
    )
    mode = arguments.mode or MODES[0]
    adapted, settings = adapt_as_asked(checkpoint, arguments, mode)
    score = zoo.evaluate(adapted, lines, mode=mode)
    if arguments.text is not None:
        tell_unknown_share(score.num_unknown, score.num_tokens)
    return {
        "mode": mode,
        **settings,
        "perplexity": score.perplexity,
        "nats_per_token": score.nats_per_token,
        "bits_per_character": score.bits_per_character,
        "num_tokens": score.num_tokens,
        "num_characters": score.num_characters,
        "num_unknown": score.num_unknown,
    }


def _measure_classifier(checkpoint: "Checkpoint", arguments: argparse.Namespace) -> dict[str, Any]:
    from zoo.evaluation.classifying import evaluate_classifier

    if arguments.mode:
        raise UserError("--mode is for a language model; leave it out")
    examples = _labeled_texts(checkpoint, arguments)
    score = evaluate_classifier(checkpoint, examples.texts, examples.labels)
    if arguments.picture:
        from zoo.diagnostics.confusion import draw_confusion

        draw_confusion(arguments.picture, score)
    return {
        "accuracy": score.accuracy,
        "macro_f1": score.macro_f1,
        "micro_f1": score.micro_f1,
        "num_examples": score.num_examples,
        "majority_accuracy": score.majority_accuracy,
        "calibration_error": score.calibration_error,
        "nats_per_text": score.nats_per_text,
        "by_label": [row._asdict() for row in score.by_label],
        "confusion": None if score.confusion is None else score.confusion.tolist(),
    }


def _measure_translator(checkpoint: "Checkpoint", arguments: argparse.Namespace) -> dict[str, Any]:
    import zoo

    if arguments.text is not None:
        raise UserError("--text is not for a translator; use --source and --target")
    if arguments.mode is not None:
        raise UserError("--mode is for a language model; leave it out")
    if arguments.picture:
        raise UserError("--picture is of a classifier's confusions; use translate --picture")
    beam_size = 5 if arguments.beam_size is None else arguments.beam_size
    pairs = _sentence_pairs(checkpoint, arguments)
    score = zoo.evaluate_translator(checkpoint, pairs, beam_size=beam_size)
    record = {"beam_size": beam_size, **score.record(), "signature": score.signature}
    del record["error"]
    return {**record, "num_examples": score.num_examples}


def _sentence_pairs(checkpoint: "Checkpoint", arguments: argparse.Namespace) -> "ParallelTexts":
    """The pairs that a translator is to be measured on, as they are written."""
    from zoo.data.parallel_corpora import (
        ParallelDataConfig,
        ParallelTexts,
        load_parallel_corpus,
    )
    from zoo.data.parallel_sources import PairFiles, read_pairs

    if arguments.source is not None:
        found = read_pairs(PairFiles(Path(arguments.source), Path(arguments.target)))
        sources, targets = zip(*found, strict=True)
        return ParallelTexts(list(sources), list(targets), [()] * len(found))
    config = own_data_config(checkpoint, ParallelDataConfig, arguments.data_directory)
    config = dataclasses.replace(config, lowercase=False)  # references keep their capitals
    with flags_of_commands():
        pairs = load_parallel_corpus(config)[arguments.split]
    note_other_text(checkpoint, arguments.split, of_pairs(pairs.sources, pairs.targets))
    return pairs


def _labeled_texts(checkpoint: "Checkpoint", arguments: argparse.Namespace) -> "LabeledTexts":
    """The texts and labels that a classifier is to be measured on."""
    from zoo.data.labeled_corpora import (
        LabeledDataConfig,
        LabeledTexts,
        load_labeled_corpus,
        table_columns,
    )
    from zoo.data.labeled_sources import read_table

    directory = "" if arguments.text is not None else arguments.data_directory
    config = own_data_config(checkpoint, LabeledDataConfig, directory)
    if arguments.text is not None:
        examples = list(read_table(Path(arguments.text), table_columns(config)))
        return LabeledTexts([one.text for one in examples], [one.labels for one in examples])
    with flags_of_commands():
        texts = load_labeled_corpus(config).splits[arguments.split]
    note_other_text(checkpoint, arguments.split, of_labeled(*texts))
    return texts
