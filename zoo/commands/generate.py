"""`python -m zoo generate`: text from a language model, shown while it is made."""

import argparse
import dataclasses
import json

from zoo.commands.lines import check_encoding
from zoo.decoding.settings import STOPS, GenerationSettings
from zoo.errors import UserError

SUMMARY = "let a language model write: the prompt and its continuation, on stdout"
EXAMPLES = """\
examples:
  python -m zoo generate runs/demo --prompt="The for statement" --temperature=0.8
  python -m zoo generate runs/demo --greedy --max_tokens=500
  python -m zoo generate runs/demo --num_samples=3 --stop=end --seed=7 --json

The same seed gives the same text. In a shell a prompt of two lines is $'one\\ntwo'.
CHECKPOINT is a released name (see `python -m zoo list`), a run's directory, whose best step it
then is, one step's directory, or a file that `export` wrote.
"""
_MOST_SAMPLES = 10_000  # which are written side by side


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    add = parser.add_argument
    add("checkpoint", metavar="CHECKPOINT", help="a released name, a directory or a file")
    add("--prompt", default="", metavar="TEXT", help="how the text begins (default: not at all)")
    add("--greedy", action="store_true", help="the same as --temperature=0")
    _add_settings(parser)
    add(
        "--num_samples",
        type=int,
        default=1,
        metavar="N",
        help="texts to write, with a blank line between them (default: %(default)s)",
    )
    add("--json", action="store_true", help="print one JSON object: checkpoint, step, samples")


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Adds a flag for every field of GenerationSettings."""
    defaults = GenerationSettings()
    add = parser.add_argument
    add(
        "--max_tokens",
        type=int,
        default=defaults.max_tokens,
        metavar="N",
        help="tokens drawn at most (default: %(default)s)",
    )
    add(
        "--temperature",
        type=float,
        default=defaults.temperature,
        metavar="X",
        help="0: always the most probable token; above 1: wilder (default: %(default)s)",
    )
    add(
        "--top_k",
        type=int,
        default=defaults.top_k,
        metavar="K",
        help="draw from the K most probable tokens only; 0: no limit (default: %(default)s)",
    )
    add(
        "--top_p",
        type=float,
        default=defaults.top_p,
        metavar="P",
        help="draw from the most probable tokens that together have probability P only "
        "(default: %(default)s)",
    )
    add("--seed", type=int, default=defaults.seed, metavar="N", help="default: %(default)s")
    add(
        "--stop",
        choices=STOPS,
        default=defaults.stop,
        help="end: at the first sentence end; length: at max_tokens only (default: length for a "
        "character model, end for others)",
    )
    add("--allow_unknown", action="store_true", help="let the model draw <unk> as well")


def run(arguments: argparse.Namespace) -> None:
    """Loads the checkpoint and prints the text.

    Raises:
        UserError: a setting is out of its bounds, or there is no such checkpoint.
    """
    settings = _settings(arguments)
    import zoo

    checkpoint = zoo.load(arguments.checkpoint)
    if arguments.num_samples == 1 and not arguments.json:
        for piece in zoo.stream_generate(checkpoint, arguments.prompt, settings):
            print(piece, end="", flush=True)
        print()
        return
    prompts = [arguments.prompt] * arguments.num_samples
    samples = zoo.generate(checkpoint, prompts, **dataclasses.asdict(settings))
    if arguments.json:
        record = {"checkpoint": str(checkpoint.directory), "step": checkpoint.step}
        print(json.dumps({**record, "samples": samples}, ensure_ascii=False))
    else:
        print("\n\n".join(samples))


def _settings(arguments: argparse.Namespace) -> GenerationSettings:
    """The settings that the flags give, checked before anything slow is done."""
    if not 1 <= arguments.num_samples <= _MOST_SAMPLES:
        raise UserError(f"num_samples is {arguments.num_samples}; use 1 to {_MOST_SAMPLES}")
    check_encoding(arguments.prompt, "the prompt")
    names = [field.name for field in dataclasses.fields(GenerationSettings)]
    values = {name: getattr(arguments, name) for name in names}
    if arguments.greedy:
        values["temperature"] = 0.0
    return GenerationSettings(**values)
