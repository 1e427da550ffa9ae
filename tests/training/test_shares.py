"""Arrays that several processes wrote in parts come back whole, in part, and on other devices."""

import json

import jax
import numpy as np
import pytest
from etils import epath

from zoo.errors import UserError
from zoo.training import checkpoints, stored
from zoo.training.checksums import DamagedCheckpoint
from zoo.training.shares import Share, copy_share, own_parts, write_shares

RNG = np.random.default_rng(3)
KERNEL = RNG.normal(size=(6, 8)).astype(np.float32)
TREE = {"cell": {"kernel": KERNEL, "bias": KERNEL[0].copy()}, "step": np.int32(7)}


def columns(array, number, of=2):
    """The share of one of two processes, of an array that is split over its last axis."""
    width = array.shape[-1] // of
    index = (slice(None),) * (array.ndim - 1) + (slice(number * width, (number + 1) * width),)
    shape = (*array.shape[:-1], width)
    return Share(array.shape, shape, array.dtype, [(index, array[index].copy())])


def write(directory, processes=(0, 1)):
    directory.mkdir(exist_ok=True)
    for process in processes:
        shares = {
            "cell": {name: columns(array, process) for name, array in TREE["cell"].items()},
            "step": copy_share(TREE["step"], process),
        }
        write_shares(directory, shares, process)
    return directory


@pytest.fixture
def written(tmp_path):
    return write(epath.Path(tmp_path) / "params")


def same(found, expected):
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    assert jax.tree.map(lambda leaf: leaf.dtype, found) == jax.tree.map(
        lambda leaf: leaf.dtype, expected
    )


def test_parts_of_two_processes_are_read_as_whole_arrays(written):
    same(stored.read_whole(written), TREE)
    shapes = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), stored.stored_tree(written))
    assert shapes == jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), TREE)


def test_any_range_of_an_array_is_read(written):
    kernel = stored.list_stored(written)[("cell", "kernel")]
    for _ in range(20):
        rows, columns = (sorted(RNG.integers(size + 1, size=2)) for size in KERNEL.shape)
        index = (slice(*map(int, rows)), slice(*map(int, columns)))
        np.testing.assert_array_equal(kernel.read(index), KERNEL[index])


def test_a_process_reads_no_more_than_the_parts_on_its_devices(written, monkeypatch):
    """Two devices of a mesh of one process stand for the devices of one of several hosts."""
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(stored, "read_whole", pytest.fail)
    asked = []
    listed = stored.list_stored(written)

    def spied(array):
        def read(index):
            asked.append(index)
            return array.read(index)

        return array._replace(read=read)

    monkeypatch.setattr(
        stored, "list_stored", lambda _: {path: spied(array) for path, array in listed.items()}
    )
    template = jax.tree.map(lambda leaf: jax.device_put(np.zeros_like(leaf)), TREE)
    found = stored.read_like(template, written)
    same(jax.tree.map(np.asarray, found), TREE)
    assert len(asked) == 3  # one part of each array


def test_whole_arrays_of_one_process_are_read_in_ranges_too(tmp_path):
    directory = checkpoints.save(
        tmp_path, step=1, params=TREE, state=TREE, config={}, vocabulary={}, progress={}
    )
    kernel = stored.list_stored(directory / "params")[("cell", "kernel")]
    np.testing.assert_array_equal(kernel.read((slice(1, 3), slice(2, 5))), KERNEL[1:3, 2:5])


def test_a_copy_does_not_follow_its_array():
    array = KERNEL.copy()
    share = copy_share(array, process=0)
    array[:] = 0
    np.testing.assert_array_equal(share.parts[0][1], KERNEL)
    assert copy_share(array, process=1).parts == []
    np.testing.assert_array_equal(own_parts(jax.numpy.asarray(KERNEL))[0], KERNEL)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("tree.json", "{}"),
        ("tree.json", '{"paths": [["cell", "kernel"], ["x"], ["y"], ["z"]]}'),
        ("tree.json", '{"paths": []}'),
        ("tree.json", "not JSON"),
        ("0/.zarray", "{}"),
        ("0/.zarray", "[" * 3000),
    ],
)
def test_a_damaged_list_or_array_is_one_line(written, file, content):
    (written / file).write_text(content)
    with pytest.raises(DamagedCheckpoint, match=f"{written} is damaged") as caught:
        stored.list_stored(written)
    assert str(caught.value).count("\n") == 0


def test_an_array_that_announces_more_than_its_files_hold_is_refused(written):
    record = json.loads((written / "0" / ".zarray").read_text())
    record["shape"] = record["chunks"] = [1 << 20, 1 << 20]
    (written / "0" / ".zarray").write_text(json.dumps(record))
    with pytest.raises(DamagedCheckpoint, match="its arrays would take"):
        stored.read_whole(written)


def test_a_template_of_another_model_is_told_by_name(written):
    template = {"cell": {"kernel": np.zeros((6, 9), np.float32)}, "step": TREE["step"]}
    with pytest.raises(UserError, match=r"\['cell'\]\['kernel'\] is float32\[6,8\] and should"):
        stored.read_like(template, written)
