"""`python -m zoo generate`: prints text from a language model while it is generated."""

import argparse
import dataclasses
import json

from zoo.commands.lines import check_encoding
from zoo.decoding.settings import STOPS, GenerationSettings
from zoo.errors import UserError

SUMMARY = "generate text with a language model, and print the prompt and its continuation"
EXAMPLES = """\
examples:
  python -m zoo generate runs/demo --prompt="The for statement" --temperature=0.8
  python -m zoo generate runs/demo --greedy --max_tokens=500
  python -m zoo generate runs/demo --num_samples=3 --stop=end --seed=7 --json

The same seed gives the same text. In a shell, write a prompt of two lines as $'one\\ntwo'.
CHECKPOINT is a released name (see `python -m zoo list`), a run's directory (its best step is used),
the directory of one step, or a file that `export` wrote.
"""
_MOST_SAMPLES = 10_000  # they are generated side by side

_NUMBERS = {
    "max_tokens": ("N", "largest number of tokens drawn"),
    "temperature": (
        "X",
        "divides the logits; 0 always takes the most probable token, values above 1 give more "
        "random text",
    ),
    "top_k": ("K", "draw only from the K most probable tokens; 0 means no limit"),
    "top_p": ("P", "draw only from the most probable tokens that together have probability P"),
    "seed": ("N", "random seed"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    add = parser.add_argument
    add("checkpoint", metavar="CHECKPOINT", help="a released name, a directory or a file")
    add("--prompt", default="", metavar="TEXT", help="beginning of the text (default: empty)")
    add("--greedy", action="store_true", help="the same as --temperature=0")
    _add_settings(parser)
    add(
        "--num_samples",
        type=int,
        default=1,
        metavar="N",
        help="number of texts, printed with a blank line between them (default: %(default)s)",
    )
    add("--json", action="store_true", help="print one JSON object: checkpoint, step, samples")


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Adds a flag for every field of GenerationSettings."""
    defaults = GenerationSettings()
    add = parser.add_argument
    for name, (metavar, told) in _NUMBERS.items():
        default = getattr(defaults, name)
        told = f"{told} (default: %(default)s)"
        add(f"--{name}", type=type(default), default=default, metavar=metavar, help=told)
    add(
        "--stop",
        choices=STOPS,
        default=defaults.stop,
        help="end: stop at the first sentence end; length: stop only at max_tokens (default: "
        "length for a character model, end for others)",
    )
    add("--allow_unknown", action="store_true", help="allow the model to draw <unk>")


def run(arguments: argparse.Namespace) -> None:
    """Loads the checkpoint, and prints the text.

    Raises:
        UserError: if a setting is out of its bounds, or there is no such checkpoint.
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
    """Returns the settings that the flags give, checked before anything slow is done."""
    if not 1 <= arguments.num_samples <= _MOST_SAMPLES:
        raise UserError(f"num_samples is {arguments.num_samples}; use 1 to {_MOST_SAMPLES}")
    check_encoding(arguments.prompt, "the prompt")
    names = [field.name for field in dataclasses.fields(GenerationSettings)]
    values = {name: getattr(arguments, name) for name in names}
    if arguments.greedy:
        values["temperature"] = 0.0
    return GenerationSettings(**values)
