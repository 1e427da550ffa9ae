"""Where arrays live, and that it changes no result."""

import json
import subprocess
import sys
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec
from tiny_run import ROOT, environment_with

from zoo.errors import UserError
from zoo.training import devices
from zoo.training.devices import MeshConfig, make_mesh, shardings

PROGRAM = ROOT / "tests/training/on_eight_devices.py"


@pytest.mark.parametrize(
    "name",
    [
        "language model",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("recurrent translator", "transformer", "classifier")
        ),
    ],
)
def test_every_mesh_and_microbatches_train_as_one_device_does(name):
    done = subprocess.run(
        [sys.executable, PROGRAM, name],
        env=environment_with(devices=8),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    apart = json.loads(done.stdout)
    assert apart.pop("moved") > 0.02
    assert len(apart) == 6
    assert max(apart.values()) < 1e-5, apart


def stand_in(monkeypatch, num_devices, num_processes=1):
    """As many devices as asked for, to make meshes of."""
    copies = [SimpleNamespace(id=number, process_index=0) for number in range(num_devices)]
    monkeypatch.setattr(jax, "devices", lambda: copies)
    monkeypatch.setattr(jax, "process_count", lambda: num_processes)
    monkeypatch.setattr(
        devices, "Mesh", lambda chosen, names: dict(zip(names, chosen.shape, strict=True))
    )


@pytest.mark.parametrize(
    ("config", "num_rows", "expected"),
    [
        (MeshConfig(), 32, (8, 1)),
        (MeshConfig(), 20, (5, 1)),
        (MeshConfig(), 7, (7, 1)),
        (MeshConfig(model=2), 20, (4, 2)),
        (MeshConfig(data=2, model=4), 20, (2, 4)),
        (MeshConfig(data=1), 20, (1, 1)),
    ],
)
def test_the_mesh_takes_as_many_devices_as_divide_the_rows(monkeypatch, config, num_rows, expected):
    stand_in(monkeypatch, 8)
    assert make_mesh(config, num_rows) == dict(zip(("data", "model"), expected, strict=True))


@pytest.mark.parametrize(
    ("config", "num_rows", "num_processes", "message"),
    [
        (MeshConfig(data=16), 32, 1, "need 16 devices, but there are 8"),
        (MeshConfig(model=16), 32, 1, "need 16 devices, but there are 8"),
        (MeshConfig(data=8), 20, 1, "mesh.data=8 does not divide the 20 rows"),
        (MeshConfig(), 20, 2, "the mesh 5 x 1 leaves out some of the 8 devices of 2 processes"),
    ],
)
def test_a_mesh_that_can_not_be(monkeypatch, config, num_rows, num_processes, message):
    stand_in(monkeypatch, 8, num_processes)
    with pytest.raises(UserError, match=message):
        make_mesh(config, num_rows)


@pytest.mark.parametrize("fields", [{"data": -1}, {"model": 0}])
def test_axes_that_can_not_be(fields):
    with pytest.raises(UserError, match=r"^mesh\.\w+ is -?\d; use at least 1"):
        MeshConfig(**fields)


def test_arrays_live_by_their_names_and_whole_where_an_axis_does_not_divide(monkeypatch):
    mesh = jax.sharding.AbstractMesh((2, 4), ("data", "model"))
    state = {
        "params": {
            "embedding": np.zeros((8, 3)),
            "layer_0": {"input_kernel": np.zeros((3, 16)), "bias": np.zeros(16)},
            "output": {"kernel": np.zeros((4, 10))},  # 10 words are not shared out over 4
        },
        "carry": (np.zeros((6, 4)), np.zeros((5, 4))),
        "step": np.zeros(()),
    }
    specs = jax.tree.map(
        lambda place: place.spec, shardings(state, mesh), is_leaf=lambda x: hasattr(x, "spec")
    )
    assert specs == {
        "params": {
            "embedding": PartitionSpec("model", None),
            "layer_0": {
                "input_kernel": PartitionSpec(None, "model"),
                "bias": PartitionSpec("model"),
            },
            "output": {"kernel": PartitionSpec(None, None)},
        },
        "carry": (PartitionSpec("data", None), PartitionSpec(None, None)),
        "step": PartitionSpec(),
    }
    assert isinstance(make_mesh(MeshConfig(), 1), Mesh)
