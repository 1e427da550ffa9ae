"""A step of a run survives whatever happens to the process and is distrusted after damage."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tiny_run import environment_with

from zoo.errors import UserError
from zoo.training import checkpoints
from zoo.training.checkpoints import DamagedCheckpoint


def arrays(seed):
    """Random parameters and state with every kind of leaf that a train state has."""
    rng = np.random.default_rng(seed)
    params = {
        "layer_0": {
            "kernel": jnp.asarray(rng.normal(size=(8, 24)), jnp.float32),
        },
        "embedding": {"table/of words": jnp.asarray(rng.normal(size=(16, 3)), jnp.float32)},
    }
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-3))
    state = {
        "optimizer": jax.tree.map(
            lambda leaf: jnp.asarray(100 * rng.normal(size=leaf.shape), leaf.dtype),
            optimizer.init(params),
        ),
        "carry": ((jnp.asarray(rng.normal(size=(4, 8)), jnp.float32),) * 2, ()),
        "key": jax.random.key_data(jax.random.key(seed)),
        "fresh": np.asarray([True, False, True]),
        "step": jnp.int32(seed),
        "learning_rate_scale": np.float64(1 / 3),
    }
    params["layer_0"]["bias"] = jnp.asarray(rng.normal(size=24), jnp.bfloat16)
    return params, state


def save(workdir, step, seed=None, **texts):
    params, state = arrays(step if seed is None else seed)
    texts = {"config": {}, "vocabulary": {}, "progress": {}, **texts}
    return checkpoints.save(workdir, step=step, params=params, state=state, **texts)


def assert_same(actual, expected):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


def files_of(directory):
    return sorted(path for path in Path(directory).rglob("*") if path.is_file())


def test_without_templates_params_come_back_as_numpy_and_state_is_not_read(tmp_path):
    directory = save(tmp_path, 7)
    shutil.rmtree(directory / "state")
    restored = checkpoints.restore(directory)
    assert_same(restored.params, arrays(7)[0])
    assert {type(leaf) for leaf in jax.tree.leaves(restored.params)} == {np.ndarray}
    assert (restored.step, restored.state) == (7, None)


@pytest.mark.parametrize("as_structs", [True, False])
def test_templates_give_back_every_bit_in_the_same_structure(tmp_path, as_structs):
    directory = save(tmp_path, 7)
    params, state = arrays(8)
    if as_structs:
        # 64-bit leaves only exist as NumPy arrays, whose template is a NumPy array.
        scale = state.pop("learning_rate_scale")
        params, state = jax.eval_shape(lambda: (params, state))
        state["learning_rate_scale"] = scale
    restored = checkpoints.restore(directory, params_template=params, state_template=state)
    assert_same(restored.params, arrays(7)[0])
    assert_same(restored.state, arrays(7)[1])
    assert isinstance(restored.params["layer_0"]["kernel"], jax.Array)


def test_texts_come_back_as_they_were(tmp_path):
    texts = {
        "config": {"model": {"hidden_sizes": [2, 3], "dropout_rate": 0.1, "name": None}},
        "vocabulary": {"tokens": ["ü", "\n", "€", "\ud800", '"', "\\"]},
        "progress": {"best_score": float("inf"), "sums": {"nats": 1 / 3}, "best_step": None},
    }
    restored = checkpoints.restore(save(tmp_path, 1, **texts))
    assert restored.config == texts["config"]
    assert restored.vocabulary == texts["vocabulary"]
    assert restored.progress == texts["progress"]


def test_a_relative_workdir_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Path(save("run", 0)) == tmp_path / "run/checkpoints/0"
    assert checkpoints.steps("run") == [0]
    assert checkpoints.restore("run/checkpoints/0").step == 0


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            lambda p: p["layer_0"].update(kernel=jnp.zeros((8, 25))),
            r"do not fit.*\[8,24\].*\[8,25\]",
        ),
        (lambda p: p["layer_0"].update(kernel=jnp.zeros((8, 24), jnp.float16)), "float16"),
        (
            lambda p: p.update(extra=jnp.zeros(2)),
            r"\['extra'\] is absent .* float32\[2\]",
        ),
        (lambda p: p.pop("embedding"), r"\['embedding'\].*should be absent"),
    ],
)
def test_a_template_that_does_not_fit_is_told_by_its_first_leaf(tmp_path, change, named):
    directory = save(tmp_path, 7)
    template, _ = arrays(7)
    change(template)
    with pytest.raises(UserError, match=f"params of .*{named}"):
        checkpoints.restore(directory, params_template=template)


def test_a_state_of_more_than_ten_arrays_of_one_shape_keeps_their_order(tmp_path):
    state = {"carry": tuple(np.full(2, number, np.float32) for number in range(12))}
    directory = checkpoints.save(
        tmp_path, step=1, params=state, state=state, config={}, vocabulary={}, progress={}
    )
    restored = checkpoints.restore(directory, state_template=state).state
    assert [array.tolist() for array in restored["carry"]] == [[n, n] for n in range(12)]


def test_a_state_template_that_does_not_fit_is_told_by_its_first_leaf(tmp_path):
    directory = save(tmp_path, 7)
    _, template = arrays(7)
    template["carry"] = (template["carry"][0][:1], ())
    with pytest.raises(UserError, match=r"state of .*\['carry'\]\[0\]\[1\] is float32\[4,8\]"):
        checkpoints.restore(directory, state_template=template)


def test_a_step_saved_again_is_replaced(tmp_path):
    save(tmp_path, 5, seed=1)
    directory = save(tmp_path, 5, seed=2)
    checkpoints.verify(directory)
    assert_same(checkpoints.restore(directory).params, arrays(2)[0])
    assert os.listdir(tmp_path / "checkpoints") == ["5"]


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    "damage", [flip, truncate, Path.unlink, lambda path: path.write_bytes(b"")]
)
def test_damage_to_any_file_is_noticed_and_named(tmp_path, damage):
    directory = Path(save(tmp_path, 5, config={"a": 1}, vocabulary={"b": 2}))
    files = files_of(directory)
    assert len(files) > 10
    for path in files:
        intact = path.read_bytes()
        damage(path)
        with pytest.raises(DamagedCheckpoint, match=f"^{directory} is damaged: ") as caught:
            checkpoints.verify(directory)
        if path.name != "checksums.json":
            assert path.relative_to(directory).as_posix() in str(caught.value)
        path.write_bytes(intact)
    checkpoints.verify(directory)


def test_a_card_may_be_added(tmp_path):
    directory = save(tmp_path, 5)
    (directory / "card.md").write_text("# A small model\n")
    checkpoints.verify(directory)


def test_a_step_reached_through_a_link_is_sound(tmp_path):
    directory = save(tmp_path, 5)
    (tmp_path / "link").symlink_to(directory)
    checkpoints.verify(tmp_path / "link")


@pytest.mark.parametrize("name", ["config.json", "vocabulary.json", "progress.json"])
def test_a_step_must_have_its_texts(tmp_path, name):
    directory = save(tmp_path, 5)
    sums = json.loads((directory / "checksums.json").read_text())
    del sums[name]
    (directory / "checksums.json").write_text(json.dumps(sums))
    with pytest.raises(DamagedCheckpoint, match=f"does not list {name}"):
        checkpoints.verify(directory)


def test_the_newest_sound_step_is_found_and_damaged_ones_set_aside(tmp_path):
    for step in (9, 10, 100):
        save(tmp_path, step)
    flip(files_of(tmp_path / "checkpoints/100/state")[-1])
    (tmp_path / "checkpoints/200").mkdir()
    lines = []
    for set_aside in (False, True):
        found = checkpoints.latest_sound(tmp_path, log=lines.append, set_aside=set_aside)
        assert Path(found) == tmp_path / "checkpoints/10"
    assert lines[:2] == lines[2:]
    assert "checkpoints/200 is damaged: checksums.json is missing" in lines[0]
    assert "checkpoints/100 is damaged: state/" in lines[1]
    assert checkpoints.steps(tmp_path) == [9, 10]
    assert (tmp_path / "checkpoints/100.damaged/params").is_dir()
    checkpoints.verify(save(tmp_path, 100))


def test_a_step_damaged_twice_is_set_aside_twice(tmp_path):
    for _ in range(2):
        (save(tmp_path, 3) / "config.json").unlink()
        assert checkpoints.latest_sound(tmp_path, log=str, set_aside=True) is None
    assert os.listdir(tmp_path / "checkpoints") == ["3.damaged"]


def test_a_run_without_steps_has_no_sound_one(tmp_path):
    assert checkpoints.latest_sound(tmp_path / "absent", log=str, set_aside=True) is None


def test_leftovers_of_killed_processes_are_ignored_and_cleared(tmp_path):
    save(tmp_path, 5)
    directory = tmp_path / "checkpoints"
    shutil.copytree(directory / "5", directory / ".6.incomplete")
    (directory / ".6.incomplete/checksums.json").unlink()
    shutil.copytree(directory / "5", directory / ".5.replaced")
    assert checkpoints.steps(tmp_path) == [5]
    save(tmp_path, 6)
    assert sorted(os.listdir(directory)) == ["5", "6"]


def test_a_step_comes_back_if_its_replacement_is_killed(tmp_path, monkeypatch):
    directory = save(tmp_path, 5, seed=1)
    rename = type(directory).rename

    def rename_until_killed(path, target):
        if target == directory:
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(type(directory), "rename", rename_until_killed)
        with pytest.raises(KeyboardInterrupt):
            save(tmp_path, 5, seed=2)
    found = checkpoints.latest_sound(tmp_path, log=str, set_aside=True)
    assert found == directory
    assert_same(checkpoints.restore(found).params, arrays(1)[0])
    assert os.listdir(tmp_path / "checkpoints") == ["5"]


@pytest.mark.parametrize(
    ("best", "kept"), [(None, [10, 100]), (9, [9, 100]), (100, [10, 100]), (11, [10, 100])]
)
def test_keep_deletes_all_but_the_latest_and_another(tmp_path, best, kept):
    for step in (8, 9, 10, 100):
        (tmp_path / "checkpoints" / str(step)).mkdir(parents=True)
        (tmp_path / "checkpoints" / str(step) / "file").write_text("")
    checkpoints.keep(tmp_path, best=best)
    assert sorted(os.listdir(tmp_path / "checkpoints"), key=int) == [str(step) for step in kept]


def run_python(program, *arguments, devices=1):
    """Start a program of ours in a process of its own, with a number of CPU devices."""
    command = [sys.executable, "-W", "error", "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, env=environment_with(devices))


ON_EIGHT_DEVICES = """
import sys
import jax, numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from zoo.training import checkpoints

source, target = sys.argv[1:]
assert jax.device_count() == 8
mesh = jax.make_mesh((2, 4), ("data", "model"))

def template(leaf):
    axes = ("model",) if leaf.ndim and leaf.shape[0] % 4 == 0 else ()
    sharding = NamedSharding(mesh, PartitionSpec(*axes))
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)

templates = jax.tree.map(template, checkpoints.restore(source).params)
restored = checkpoints.restore(source, params_template=templates, state_template={"w": templates})
kernel = restored.params["layer_0"]["kernel"]
assert kernel.sharding.spec == PartitionSpec("model")
assert kernel.addressable_shards[0].data.shape == (2, 24)
checkpoints.save(target, step=7, params=restored.params, state=restored.state,
                 config={}, vocabulary={}, progress={})
"""


def test_one_device_to_eight_and_back(tmp_path):
    params, _ = arrays(3)
    texts = {"config": {}, "vocabulary": {}, "progress": {}}
    source = checkpoints.save(tmp_path / "one", step=7, params=params, state={"w": params}, **texts)
    assert run_python(ON_EIGHT_DEVICES, source, tmp_path / "eight", devices=8).wait(120) == 0
    returned = tmp_path / "eight/checkpoints/7"
    checkpoints.verify(returned)
    assert_same(checkpoints.restore(returned).params, params)
    restored = checkpoints.restore(returned, params_template=params, state_template={"w": params})
    assert_same((restored.params, restored.state), (params, {"w": params}))
    assert restored.params["layer_0"]["kernel"].sharding == params["layer_0"]["kernel"].sharding


SAVE_FOR_EVER = """
import itertools, sys
import numpy as np
from zoo.training import checkpoints

for step in itertools.count(1):
    filled = {"filled": np.full((64, 64), step)}
    checkpoints.save(sys.argv[1], step=step, params=filled, state=filled,
                     config={}, vocabulary={}, progress={})
    checkpoints.keep(sys.argv[1], best=1)
"""


def test_a_killed_process_leaves_a_sound_step(tmp_path):
    process = run_python(SAVE_FOR_EVER, tmp_path)
    deadline = time.monotonic() + 60
    while not checkpoints.steps(tmp_path)[1:] and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(np.random.default_rng().uniform(0, 0.2))
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert 1 in checkpoints.steps(tmp_path)
    damaged = []
    newest = checkpoints.latest_sound(tmp_path, log=damaged.append, set_aside=True)
    assert damaged == []
    assert newest.name == str(checkpoints.steps(tmp_path)[-1])
    np.testing.assert_array_equal(
        checkpoints.restore(newest).params["filled"], np.full((64, 64), int(newest.name))
    )
    assert not any(name.startswith(".") for name in os.listdir(tmp_path / "checkpoints"))


def test_arrays_that_orbax_wrote_without_a_word_but_can_not_read_are_no_step(tmp_path, monkeypatch):
    import orbax.checkpoint as ocp

    save(tmp_path, 1)
    write = ocp.Checkpointer.save

    def write_and_lose(self, directory, *others):
        write(self, directory, *others)
        (directory / "_METADATA").unlink()

    monkeypatch.setattr(ocp.Checkpointer, "save", write_and_lose)
    with pytest.raises(
        UserError, match=r"^step 2 cannot be written .* can continue from step 1\. "
    ):
        save(tmp_path, 2)
    assert os.listdir(tmp_path / "checkpoints") == ["1"]


def test_a_step_that_can_not_be_moved_into_place_leaves_the_old_one(tmp_path, monkeypatch):
    directory = save(tmp_path, 5, seed=1)
    rename = type(directory).rename

    def refuse(self, target):
        if self.name == ".5.incomplete":
            raise OSError(5, "Input/output error", os.fspath(self))
        return rename(self, target)

    monkeypatch.setattr(type(directory), "rename", refuse)
    with pytest.raises(
        UserError, match=r"\(Input/output error\); the run can continue from step 5"
    ):
        save(tmp_path, 5, seed=2)
    checkpoints.verify(directory)
    assert_same(checkpoints.restore(directory).params, arrays(1)[0])
    assert os.listdir(tmp_path / "checkpoints") == ["5"]


def test_an_answer_to_a_loop_that_orbax_has_closed_prints_nothing(tmp_path, monkeypatch):
    """TensorStore's threads give it to Python's hook after a save that failed."""
    printed = []
    monkeypatch.setattr(sys, "unraisablehook", printed.append)
    save(tmp_path, 1)
    late, other = (RuntimeError(text) for text in ("Event loop is closed", "another"))
    for error in (late, other):
        sys.unraisablehook(SimpleNamespace(exc_type=RuntimeError, exc_value=error))
    assert [told.exc_value for told in printed] == [other]
