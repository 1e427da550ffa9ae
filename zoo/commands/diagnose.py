"""`python -m zoo diagnose`: measures how far back the gradient of a recurrent model reaches."""

import argparse
import json
from typing import TYPE_CHECKING

from zoo.commands.lines import read_plain
from zoo.errors import UserError
from zoo.types import Json

if TYPE_CHECKING:
    from zoo.diagnostics.gradient_flow import GradientFlow
    from zoo.models.trained import Checkpoint

SUMMARY = "measure how a recurrent model's gradient vanishes or explodes through time"
EXAMPLES = """\
examples:
  python -m zoo diagnose
  python -m zoo diagnose runs/elman runs/lstm --picture=gradients.png
  python -m zoo diagnose runs/elman --fresh --steps=100 --text=notes.txt --json

The command prints the norm of dL_T/dh_t: the gradient of the last token's loss with respect to the
state after step t. It is the mean over several pieces of the text. A state of several arrays counts
as one vector, but an LSTM's memory is shown apart. --fresh shows each model before training beside
it, and how its recurrent weights start: an orthogonal matrix keeps the length of a gradient, a
uniform one in +-1/sqrt(H) shrinks it at every step. So an Elman network with an orthogonal start
can pass a gradient further back than an LSTM does.

Without CHECKPOINT the command shows what a lecture shows: an Elman network that starts uniform and
an LSTM, before and after training.
"""
LECTURE = ("python_docs_elman_uniform", "python_docs_lstm")
SHOWN = (0, 1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 500, 1000)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    add = parser.add_argument
    add(
        "checkpoints",
        nargs="*",
        metavar="CHECKPOINT",
        help=f"a released name or a directory (default: {' '.join(LECTURE)}, with --fresh)",
    )
    add(
        "--steps",
        type=int,
        default=50,
        metavar="T",
        help="number of steps to go back (default: %(default)s)",
    )
    add("--fresh", action="store_true", help="also measure the parameters before training")
    add("--text", metavar="FILE", help="the text to read (default: each model's validation split)")
    add("--data_directory", metavar="DIR", help="directory with the corpus")
    add("--picture", metavar="FILE", help="draw the norms: .png, .svg or .pdf")
    add("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> None:
    """Measures and shows the gradients.

    Raises:
        UserError: if a checkpoint is not a recurrent language model, or the text is too short.
    """
    if arguments.steps < 1:
        raise UserError(f"--steps is {arguments.steps}; use at least 1, such as 50")
    import zoo
    from zoo.evaluation.perplexity import text_lines

    if not arguments.checkpoints:
        arguments.checkpoints, arguments.fresh = LECTURE, True
    if arguments.text is not None and arguments.data_directory is not None:
        raise UserError(
            "--data_directory names the corpus of a checkpoint; leave it out, or --text"
        )
    text = None if arguments.text is None else text_lines(read_plain(arguments.text))
    panels: dict[str, dict[str, GradientFlow]] = {}
    starts: dict[str, str] = {}
    for name in arguments.checkpoints:
        checkpoint = zoo.load(name)
        for title, flow in _flows(checkpoint, arguments, text).items():
            panels.setdefault(title, {})[name] = flow
        starts[name] = _start(checkpoint)
    shown = {name: _named(name, starts) if arguments.fresh else name for name in starts}
    named = {
        title: {shown[name]: flow for name, flow in flows.items()}
        for title, flows in panels.items()
    }
    if arguments.picture is not None:
        from zoo.diagnostics.gradient_picture import draw_flows

        draw_flows(arguments.picture, named)
    if arguments.json:
        print(json.dumps({title: _plain(flows, starts) for title, flows in panels.items()}))
    else:
        print("\n\n".join(_table(title, flows) for title, flows in named.items()))


def _start(checkpoint: "Checkpoint") -> str:
    """Returns how the recurrent weights of a model are initialized."""
    from zoo.layers.cells import make_cell
    from zoo.layers.cells.gated import GatedCell

    config = checkpoint.model.config
    if config.init_scale:
        return f"uniform in +-{config.init_scale:g}"
    is_gated = isinstance(make_cell(config.cell, 1), GatedCell)
    return "orthogonal" if is_gated else "its cell's own"


def _named(name: str, starts: dict[str, str]) -> str:
    """Returns the name of a model with how it starts."""
    return f"{name} (start: {starts[name]})"


def _refuse_other_start(checkpoint: "Checkpoint") -> None:
    """Raises a UserError if training did not start from random parameters."""
    for section, field in (("training", "init_from"), ("data", "word_vectors")):
        if checkpoint.config.get(section, {}).get(field):
            raise UserError(
                f"{checkpoint.name} started from {section}.{field}, so that random parameters are "
                "not its start; leave --fresh out"
            )


def _flows(
    checkpoint: "Checkpoint", arguments: argparse.Namespace, text: list[str] | None
) -> dict[str, "GradientFlow"]:
    """Returns the model's flow after training, and also before training if that is wanted."""
    from functools import partial

    import jax

    from zoo.data.vocabulary import encode_lines
    from zoo.diagnostics.gradient_flow import cut_rows, gradient_flow, require_recurrent
    from zoo.tasks.language_modeling import LANGUAGE_MODELING
    from zoo.tasks.own_corpus import corpus_lines

    model = require_recurrent(checkpoint.model, checkpoint.name)
    if text is None:
        text = corpus_lines(checkpoint, "validation", arguments.data_directory)
    rows = cut_rows(encode_lines(checkpoint.vocabulary, text), arguments.steps)
    flows = {}
    if arguments.fresh:
        _refuse_other_start(checkpoint)
        seed = checkpoint.config.get("training", {}).get("seed", 0)
        key, _ = jax.random.split(jax.random.key(seed))  # as at the start of training
        fresh = jax.jit(partial(LANGUAGE_MODELING.init, model))(key)
        flows["before training"] = gradient_flow(model, fresh, rows)
    flows["after training"] = gradient_flow(model, checkpoint.params, rows)
    return flows


def _plain(flows: dict[str, "GradientFlow"], starts: dict[str, str]) -> Json:
    return {
        name: {
            "hidden": flow.hidden.tolist(),
            "memory": None if flow.memory is None else flow.memory.tolist(),
            "reach": flow.reach,
            "start": starts[name],
        }
        for name, flow in flows.items()
    }


def _table(title: str, flows: dict[str, "GradientFlow"]) -> str:
    """Returns the norms of the top layer at some distances."""
    num_steps = next(iter(flows.values())).hidden.shape[1]
    shown = [distance for distance in SHOWN if distance < num_steps]
    rows: list[tuple[str, str]] = [(title, " ".join(f"{f'T-{distance}':>8}" for distance in shown))]
    for name, flow in flows.items():
        kinds = {name: flow.hidden} | (
            {} if flow.memory is None else {f"{name}, memory": flow.memory}
        )
        rows += [
            (kind, " ".join(f"{norms[-1, distance]:8.1e}" for distance in shown))
            for kind, norms in kinds.items()
        ]
        if flow.reach < num_steps - 1:
            rows.append(("", f"training goes {flow.reach} steps back"))
    width = max(32, *(len(name) for name, _ in rows))
    return "\n".join(f"{name:{width}}  {values}" for name, values in rows)
