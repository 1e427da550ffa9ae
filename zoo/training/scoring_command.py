"""The command that a finished run gives for the test split."""

import shlex

from zoo.data.corpora import is_registered as is_registered_corpus
from zoo.layers.cells import is_registered as is_registered_cell
from zoo.models import registry
from zoo.training.run import Run
from zoo.types import Json


def scoring_command(run: Run) -> str:
    """Returns the command that scores a run's model on the test split.

    A command knows nothing of the cells, corpora and architectures that a user has registered. If
    the run needs some, the line says where the command has to be called.
    """
    place = run.config["data"]["directory"]
    where = f" --data_directory={shlex.quote(place)}" if place else ""
    name = shlex.quote(run.place.name(str(run.directory)))
    command = f"python -m zoo evaluate {name} --split=test{where}"
    registered = _registered(run.config)
    if not registered:
        return command
    return (
        f"{command}, called by zoo.__main__.main in a program that first imports the file with "
        f"{' and '.join(registered)}"
    )


def _registered(config: Json) -> list[str]:
    """Returns the names in a config that a user has registered."""
    model, corpus = config["model"], config["data"]["corpus"]
    found = [
        str(model[field])
        for field in ("cell", "encoder", "decoder")
        if is_registered_cell(str(model.get(field)))
    ]
    if not registry.ARCHITECTURES[model["architecture"]].module.startswith("zoo."):
        found.append(model["architecture"])
    return list(dict.fromkeys([*found, *([corpus] if is_registered_corpus(corpus) else [])]))
