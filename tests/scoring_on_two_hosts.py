"""A program for each of two processes: models whose matrices lie on both of them are scored.

    python tests/scoring_on_two_hosts.py PORT PROCESS DIRECTORY

Every result must be that of the same model on one device, which one of the processes computes: the
first for the first model, the second for the second, and so on. Prints the name of each model.
"""

import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np

import zoo
from zoo.training.devices import MeshConfig, make_mesh, shardings

KINDS = ("lstm", "topics", "spelled", "parts", "german", "german_vector")
TEXTS = ["a net reads a line", "it guesses the net", "a word"]
SOURCES = ["ein Netz liest", "eine Zeile", "liest eine Zeile ein"]


def scores(model: Any, kind: str) -> Any:
    """What the model says, as a tree of numbers and texts."""
    if kind == "lstm":
        modes = [zoo.perplexity(model, TEXTS, mode=mode) for mode in ("stream", "sentence")]
        samples = zoo.generate(model, ["", "a net"], max_tokens=6, seed=1)
        return modes, samples, zoo.surprisal(model, TEXTS[0])
    if kind == "topics":
        return zoo.classify(model, TEXTS)
    if kind in ("spelled", "parts"):
        return zoo.tag(model, TEXTS)
    return [zoo.translate(model, SOURCES, beam_size=size) for size in (1, 3)]


def flat(tree: Any) -> tuple[list[float], list[str]]:
    """Its numbers, and everything else as text."""
    if hasattr(tree, "__dataclass_fields__"):
        tree = {name: getattr(tree, name) for name in tree.__dataclass_fields__}
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, list | tuple):
        parts = [flat(item) for item in tree]
        return tuple([leaf for part in parts for leaf in part[side]] for side in (0, 1))
    if isinstance(tree, float | np.ndarray | jax.Array | np.floating):
        return np.asarray(tree, float).ravel().tolist(), []
    return [], [str(tree)]


def main(port: str, process: str, directory: str) -> None:
    """Compares every model, on one of the processes, with itself on one device."""
    jax.config.update("jax_num_cpu_devices", 1)
    jax.distributed.initialize(f"127.0.0.1:{port}", num_processes=2, process_id=int(process))
    mesh = make_mesh(MeshConfig(model=2), num_rows=1)
    for number, kind in enumerate(KINDS):
        whole = zoo.load(Path(directory) / kind)
        params = jax.tree.map(jax.device_put, whole.params, shardings(whole.params, mesh))
        assert any(not leaf.is_fully_replicated for leaf in jax.tree.leaves(params))
        found = flat(scores(whole.with_params(params), kind))
        if number % 2 == int(process):
            expected = flat(scores(whole, kind))
            np.testing.assert_allclose(found[0], expected[0], rtol=1e-4, atol=1e-5)
            assert found[1] == expected[1]
        print(kind, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
