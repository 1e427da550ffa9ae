"""The flags of dynamic evaluation and of the neural cache, which several commands share."""

import argparse
import sys
from typing import TYPE_CHECKING

from zoo.errors import UserError
from zoo.evaluation.modes import Mode
from zoo.types import Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.evaluation.adaptive import AdaptiveCheckpoint, AdaptiveLM
    from zoo.models.trained import Checkpoint, TrainedModel

_SETTINGS = {"dynamic": ("rate", "decay", "window"), "cache": ("weight", "flatness")}


def add_adapting_arguments(parser: argparse.ArgumentParser, *, with_tune: bool = True) -> None:
    """Adds the flags; `with_tune` is False if --tune is another flag of the command."""
    add = parser.add_argument
    add(
        "--dynamic",
        nargs="?",
        const="rms",
        metavar="RULE",
        help="adapt the parameters of a neural language model to the text that it has scored; RULE "
        "is rms (the default, which also reads the training text) or sgd",
    )
    add("--dynamic_rate", type=float, help="learning rate of --dynamic (default: 0.001)")
    add(
        "--dynamic_decay",
        type=float,
        help="pull of --dynamic back to the trained parameters (default: 0.005)",
    )
    add(
        "--dynamic_window",
        type=int,
        help="number of tokens between two updates of --dynamic (default: 5)",
    )
    add(
        "--cache",
        type=int,
        metavar="SIZE",
        help="mix a recurrent language model with a cache of the last SIZE tokens, such as 500",
    )
    add("--cache_weight", type=float, help="weight of --cache in the mixture (default: 0.1)")
    add(
        "--cache_flatness",
        type=float,
        help="theta of Grave et al. 2017: 0 ignores the states and counts words; a larger value "
        "prefers steps with similar states (default: 0.3)",
    )
    if not with_tune:
        return
    add(
        "--tune",
        action="store_true",
        help="first choose rate, decay, weight and flatness on the validation split",
    )


def is_asked(arguments: argparse.Namespace) -> bool:
    """Returns whether the flags ask for a model that adapts."""
    return arguments.dynamic is not None or arguments.cache is not None


def reads_corpus(arguments: argparse.Namespace) -> bool:
    """Returns whether adapting needs the corpus that the model was trained on."""
    return arguments.dynamic == "rms" or _tunes(arguments)


def _tunes(arguments: argparse.Namespace) -> bool:
    """Returns whether the settings are to be tuned; the --tune of mix is a file for weights."""
    return arguments.tune is True


def check_adapting(arguments: argparse.Namespace) -> None:
    """Raises a UserError for a flag that needs another flag or has an invalid value."""
    for flag, fields in _SETTINGS.items():
        for field in fields:
            if getattr(arguments, f"{flag}_{field}") is not None and not _has(arguments, flag):
                raise UserError(f"--{flag}_{field} is a setting of --{flag}; give both")
    if _tunes(arguments) and not is_asked(arguments):
        raise UserError("--tune chooses settings of --dynamic and --cache; give one of them")
    _settings(arguments)


def _has(arguments: argparse.Namespace, flag: str) -> bool:
    return getattr(arguments, flag) is not None


def _settings(arguments: argparse.Namespace) -> Json:
    """Returns the records of the settings that the flags ask for."""
    if not is_asked(arguments):
        return {}
    from zoo.evaluation.dynamic_evaluation import DynamicEvaluation
    from zoo.evaluation.neural_cache import NeuralCache

    given = {
        flag: {
            field: getattr(arguments, f"{flag}_{field}")
            for field in fields
            if getattr(arguments, f"{flag}_{field}") is not None
        }
        for flag, fields in _SETTINGS.items()
    }
    dynamic = cache = None
    if arguments.dynamic is not None:
        dynamic = DynamicEvaluation(rule=arguments.dynamic, **given["dynamic"])
    if arguments.cache is not None:
        cache = NeuralCache(size=arguments.cache, **given["cache"])
    return {"dynamic": dynamic, "cache": cache}


def adapt_as_asked(
    checkpoint: "Checkpoint", arguments: argparse.Namespace, mode: Mode
) -> tuple["TrainedModel", Json]:
    """Returns a language model that adapts as the flags say, and its settings for the output.

    Args:
        checkpoint: a language model.
        arguments: parsed arguments with the flags of this file and --data_directory.
        mode: as in `zoo.evaluate`.

    Raises:
        UserError: if the model cannot adapt, or the corpus that it needs cannot be read.
    """
    if not is_asked(arguments):
        return checkpoint, {}
    from zoo.evaluation.adaptive_tuning import tune

    adapted = _adapt(checkpoint, arguments, _settings(arguments))
    if _tunes(arguments):
        text = _lines(checkpoint, "validation", arguments)
        adapted = tune(adapted, text, mode=mode, log=_tell)
    return adapted, describe(adapted.model)


def _adapt(
    checkpoint: "Checkpoint", arguments: argparse.Namespace, settings: Json
) -> "AdaptiveCheckpoint":
    """Returns the model, which adapts by these settings."""
    from zoo.evaluation.adaptive import adapt, check_can_adapt

    check_can_adapt(checkpoint, settings.get("cache"))
    dynamic, text = settings.get("dynamic"), None
    if dynamic is not None and dynamic.rule == "rms":
        text = _lines(checkpoint, "train", arguments)
    return adapt(checkpoint, **settings, training_text=text)


def _lines(checkpoint: "Checkpoint", split: str, arguments: argparse.Namespace) -> list[str]:
    """Returns the lines of a split of the corpus that the model was trained on."""
    from zoo.tasks.own_corpus import corpus_lines

    if "data" not in checkpoint.config:
        advice = "use --dynamic=sgd" if split == "train" else "leave out --tune"
        raise UserError(
            f"{checkpoint.name} knows no corpus, so it has no {split} split to adapt with; {advice}"
        )
    return corpus_lines(checkpoint, split, arguments.data_directory)


def adapt_each(
    checkpoints: "Sequence[Checkpoint]", arguments: argparse.Namespace
) -> "dict[str, TrainedModel]":
    """Returns language models by name: each model itself and, if it can adapt, its adapted forms.

    Args:
        checkpoints: language models.
        arguments: parsed arguments with the flags of this file and --data_directory.

    Raises:
        UserError: if a flag asks for something that none of the models can do.
    """
    if arguments.data_directory is not None and not reads_corpus(arguments):
        raise UserError(
            "--data_directory names the corpus for --dynamic, which nothing reads here; give "
            "--dynamic, or leave out --data_directory"
        )
    from zoo.evaluation.adaptive import can_adapt

    asked = {name: setting for name, setting in _settings(arguments).items() if setting is not None}
    parts: dict[str, TrainedModel] = {}
    for checkpoint in checkpoints:
        parts[checkpoint.name] = checkpoint
        for name, setting in asked.items():
            if can_adapt(checkpoint, setting if name == "cache" else None):
                parts[f"{checkpoint.name}+{name}"] = _adapt(checkpoint, arguments, {name: setting})
    for name in asked:
        if not any(part.endswith(f"+{name}") for part in parts):
            kind = "recurrent" if name == "cache" else "neural"
            raise UserError(
                f"--{name} is for {kind} language models, and none of these is one; leave it out"
            )
    return parts


def describe(model: "AdaptiveLM") -> Json:
    """Returns the settings of an adapting model by the names of their flags."""
    told: Json = {}
    if model.dynamic is not None:
        told["dynamic"] = model.dynamic.rule
        told |= {f"dynamic_{name}": getattr(model.dynamic, name) for name in _SETTINGS["dynamic"]}
    if model.cache is not None:
        told["cache"] = model.cache.size
        told |= {f"cache_{name}": getattr(model.cache, name) for name in _SETTINGS["cache"]}
    return told


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
