"""`python -m zoo mix`: interpolates language models, and shows the weight of each."""

import argparse
import json
from typing import TYPE_CHECKING

from zoo.commands.adapting import adapt_each, add_adapting_arguments, check_adapting
from zoo.commands.lines import read_plain
from zoo.errors import UserError
from zoo.evaluation.modes import MODES
from zoo.types import Json

if TYPE_CHECKING:
    from zoo.evaluation.interpolation import Mixture

SUMMARY = "interpolate language models: weights from one text, perplexity on another"
EXAMPLES = """\
examples:
  python -m zoo mix runs/lstm runs/kn5 --tune=valid.txt --text=test.txt
  python -m zoo mix runs/lstm kn5.arpa.gz --tune=valid.txt --text=test.txt --json
  python -m zoo mix runs/lstm runs/kn5 --tune=valid.txt --sentence="the plane is late"
  python -m zoo mix runs/lstm runs/kn5 --tune=valid.txt --sentence="..." --picture=winners.png

  python -m zoo mix runs/lstm runs/kn5 --cache=500 --dynamic=sgd --tune=valid.txt --text=test.txt

With --dynamic and --cache, every neural model takes part as it is and, for each of these flags,
once more as a model that adapts to the text. The weights are those that give the text of --tune the
highest probability. All models must have the same tokens.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    add = parser.add_argument
    add("checkpoints", nargs="+", metavar="CHECKPOINT", help="a name, a directory or an ARPA file")
    add("--tune", required=True, metavar="FILE", help="validation text for choosing the weights")
    add("--text", metavar="FILE", help="the text to score")
    add("--sentence", metavar="TEXT", help="show which model predicts each token best")
    add("--picture", metavar="FILE", help="draw the models of --sentence: .png, .svg or .pdf")
    add("--mode", choices=MODES, default=MODES[0], help="as in evaluate (default: %(default)s)")
    add("--data_directory", metavar="DIR", help="directory with the corpus for --dynamic")
    add_adapting_arguments(parser, with_tune=False)
    add("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> None:
    """Tunes the weights, scores the text, and shows the sentence.

    Raises:
        UserError: if a checkpoint or a text is missing, or the vocabularies differ.
    """
    if arguments.text is None and arguments.sentence is None:
        raise UserError("there is nothing to score; give --text=FILE or --sentence=TEXT, or both")
    if arguments.picture is not None and arguments.sentence is None:
        raise UserError("--picture shows a sentence; give --sentence=TEXT")
    names = arguments.checkpoints
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(f"{twice[0]} is given twice; give each model once")
    check_adapting(arguments)
    tune = read_plain(arguments.tune)
    text = None if arguments.text is None else read_plain(arguments.text)
    import zoo

    parts = adapt_each([zoo.load(name) for name in names], arguments)
    names = arguments.checkpoints = list(parts)
    mixture = zoo.mix(list(parts.values()), tune, mode=arguments.mode)
    record: Json = {"mode": arguments.mode}
    record["weights"] = dict(zip(names, mixture.weights.tolist(), strict=True))
    if text is not None:
        record |= _scores(mixture, text, arguments)
    if arguments.sentence is not None:
        record["sentence"] = _winners(mixture, arguments)
    print(json.dumps(record, ensure_ascii=False) if arguments.json else _table(record))


def _scores(mixture: "Mixture", text: str, arguments: argparse.Namespace) -> Json:
    from zoo.evaluation.interpolation import evaluate_mixture
    from zoo.evaluation.perplexity import warn_of_unknown

    score, parts = evaluate_mixture(mixture, text, mode=arguments.mode)
    warn_of_unknown(score)
    perplexities = [part.perplexity for part in parts]
    return {
        "text": arguments.text,
        **score.to_json(),
        "parts": dict(zip(arguments.checkpoints, perplexities, strict=True)),
    }


def _winners(mixture: "Mixture", arguments: argparse.Namespace) -> list[Json]:
    from zoo.evaluation.interpolation import find_winners

    winners = find_winners(mixture, arguments.sentence, mode=arguments.mode)
    if arguments.picture is not None:
        from zoo.diagnostics.winners import draw_winners

        draw_winners(arguments.picture, winners, arguments.checkpoints)
    import numpy as np

    return [
        {
            "token": token,
            "winner": arguments.checkpoints[winners.winner[index]],
            "mixture": float(np.exp(winners.mixture[index])),
            "parts": np.exp(winners.log_probabilities[:, index]).tolist(),
        }
        for index, token in enumerate(winners.tokens)
    ]


def _table(record: Json) -> str:
    lines = [f"{'model':40}  {'weight':>8}" + ("  perplexity" if "parts" in record else "")]
    for name, weight in record["weights"].items():
        score = f"  {record['parts'][name]:10.3f}" if "parts" in record else ""
        lines.append(f"{name:40}  {weight:8.4f}{score}")
    if "parts" in record:
        lines.append(f"{'all of them':40}  {1:8.4f}  {record['perplexity']:10.3f}")
    if "sentence" in record:
        lines.append(f"\n{'token':20}  {'mixture':>9}  winner (probability by each model)")
    for row in record.get("sentence", []):
        parts = " ".join(f"{part:.4f}" for part in row["parts"])
        lines.append(f"{row['token']:20}  {row['mixture']:9.4f}  {row['winner']} ({parts})")
    return "\n".join(lines)
