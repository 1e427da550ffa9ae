"""Two processes that train one model over loopback, as two hosts do, and what stops them."""

import json
import os
import signal
import socket
from contextlib import ExitStack
from types import MappingProxyType

import jax
import numpy as np
import pytest
import tiny_checkpoints
from scoring_on_two_hosts import KINDS
from tiny_regression import Log
from tiny_run import ROOT, metrics_of, tiny_config, tiny_flags
from train_process import TrainProcess

from zoo.training import checkpoints
from zoo.training.lock import NAME, locked
from zoo.training.loop import train

pytestmark = pytest.mark.usefixtures("optax_dtypes")

NUM_STEPS = 60
SETTINGS = {
    "data.random_offset": True,
    "model.embedding_dropout_rate": 0.1,
    "model.output_dropout_rate": 0.2,
    "optimizer.learning_rate": 1e-2,
    "training.num_steps": NUM_STEPS,
    "training.steps_per_call": 2,
    "training.log_every_steps": 10,
    "training.checkpoint_every_steps": 10,
    "evaluation.every_steps": 20,
}


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def start_both(stack, corpus, workdir, of_second=(), flags=(), how=MappingProxyType({}), **more):
    """Two processes of one run; on leaving the stack, both are killed.

    Args:
        stack: holds them.
        corpus: their text.
        workdir: of the run.
        of_second: further flags of the second process.
        flags: further flags of both.
        how: what else a `TrainProcess` takes.
        **more: settings of both.
    """
    flags = [*flags, *tiny_flags(corpus, **(SETTINGS | more)), f"--workdir={workdir}"]
    flags += [f"--coordinator=127.0.0.1:{free_port()}", "--num_processes=2"]
    both = (["--process_id=0"], ["--process_id=1", *of_second])
    return [stack.enter_context(TrainProcess(*flags, *own, **how)) for own in both]


def errors_of(process):
    """What a process that was refused wrote to stderr."""
    code, errors = process.finish()
    assert code == 2, errors
    return errors


def test_killed_and_started_again_two_processes_end_as_one(corpus, tmp_path):
    """Each has a cache of its own, as hosts without a common disk have."""
    workdir, alone = tmp_path / "two", tmp_path / "one"
    caches = [tmp_path / "first", tmp_path / "second"]
    settings = SETTINGS | {"data.cache_directory": str(caches[0])}
    of_second = [f"--config.data.cache_directory={caches[1]}"]
    with ExitStack() as stack:
        first, second = start_both(stack, corpus, workdir, of_second, **settings)
        assert first.wait_for("step 30/"), first.finish()
        second.stop(signal.SIGKILL)
        assert second.finish()[0] == -signal.SIGKILL
    with ExitStack() as stack:
        first, second = start_both(stack, corpus, workdir, of_second, **settings)
        assert first.wait_for("step 40: validation"), first.finish()
        second.stop(signal.SIGTERM)  # one is told to stop, and both do
        assert [process.finish()[0] for process in (first, second)] == [0, 0]
    assert first.lines[-1].startswith("stopped at step")
    begun = next(line for line in first.lines if "; step" in line)
    assert int(begun.split()[-3]) >= 10  # step 20 may still have been in writing
    with ExitStack() as stack:
        both = start_both(stack, corpus, workdir, of_second, **settings)
        assert [process.finish()[0] for process in both] == [0, 0]
    assert [line for line in both[1].lines if not line.startswith("[Gloo]")] == []
    assert any("2 devices, data 2 x model 1" in line for line in both[0].lines)

    train(tiny_config(corpus, **SETTINGS), str(alone), log=lambda line: None)
    assert_same_run(workdir, alone)
    encoded = [
        {path.relative_to(cache): path.read_bytes() for path in cache.glob("encoded/*/*")}
        for cache in caches
    ]
    assert encoded[0] == encoded[1]
    assert encoded[0]


def assert_same_run(workdir, alone):
    """Compares a run with another, up to the order of sums."""
    assert checkpoints.steps(workdir) == checkpoints.steps(alone)
    for step in checkpoints.steps(alone):
        found, expected = (
            checkpoints.restore(checkpoints.step_directory(directory, step)).params
            for directory in (workdir, alone)
        )
        jax.tree.map(
            lambda one, other: np.testing.assert_allclose(one, other, atol=1e-5), found, expected
        )
    for split in ("train", "validation"):
        for one, other in zip(metrics_of(workdir, split), metrics_of(alone, split), strict=True):
            assert one.pop("split") == other.pop("split")
            assert one == pytest.approx(other, rel=1e-4)


def test_a_model_on_two_hosts_goes_on_on_one_and_on_two_again(corpus, tmp_path):
    """Its arrays are split over the hosts, and each host writes and reads its own parts."""
    workdir, alone = tmp_path / "run", tmp_path / "one"
    settings = SETTINGS | {"mesh.model": 2, "model.hidden_sizes": (6,)}
    on_one = settings | {"mesh.model": 1}
    with ExitStack() as stack:
        first, second = start_both(stack, corpus, workdir, **settings)
        assert first.wait_for("step 20: validation"), first.finish()
        first.stop(signal.SIGTERM)
        assert [process.finish()[0] for process in (first, second)] == [0, 0]
    assert any("data 1 x model 2" in line for line in first.lines)
    newest = checkpoints.step_directory(workdir, checkpoints.steps(workdir)[-1])
    paths = json.loads((newest / "params" / "tree.json").read_text())["paths"]
    kernel = newest / "params" / str(paths.index(["output_kernel"]))
    assert sorted(path.name for path in kernel.iterdir()) == [".zarray", "0.0", "0.1"]

    log = Log("step 40/")
    train(tiny_config(corpus, **on_one), str(workdir), allow_config_change=True, log=log)
    assert log[-1].startswith("stopped at step 40")
    assert not (checkpoints.step_directory(workdir, 40) / "params" / "tree.json").exists()
    with ExitStack() as stack:
        both = start_both(stack, corpus, workdir, **settings, flags=["--allow_config_change"])
        assert [process.finish()[0] for process in both] == [0, 0]

    train(tiny_config(corpus, **on_one), str(alone), log=lambda line: None)
    assert_same_run(workdir, alone)


def test_models_whose_matrices_lie_on_two_hosts_are_scored_as_on_one(tmp_path):
    for name in KINDS:
        tiny_checkpoints.save(tmp_path, name)
    port, program = str(free_port()), str(ROOT / "tests" / "scoring_on_two_hosts.py")
    with ExitStack() as stack:
        both = [
            stack.enter_context(
                TrainProcess(
                    port, str(number), str(tmp_path), program=program, PYTHONPATH=str(ROOT)
                )
            )
            for number in range(2)
        ]
        for process in both:
            code, errors = process.finish()
            assert code == 0, errors
            assert [line for line in process.lines if line in KINDS] == list(KINDS)


def test_a_second_run_in_one_workdir_is_refused_on_all_its_processes(corpus, tmp_path):
    with locked(tmp_path, pytest.fail), ExitStack() as stack:
        first, second = (errors_of(one) for one in start_both(stack, corpus, tmp_path))
    told = f"{tmp_path} is in use by process {os.getpid()} on "
    assert first.startswith(f"error: {told}")
    assert second == first.removesuffix("\n") + " (says process 0)\n"
    assert first.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_what_fails_on_one_process_ends_them_all(corpus, tmp_path):
    workdir, missing = tmp_path / "run", tmp_path / "nowhere.txt"
    flag = f"--config.data.directory={missing}"
    with ExitStack() as stack:
        first, second = (errors_of(one) for one in start_both(stack, corpus, workdir, [flag]))
    assert str(missing) in second
    assert first == second.removesuffix("\n") + " (says process 1)\n"
    assert second.count("\n") == 1
    assert not workdir.exists()


def test_processes_that_see_two_workdirs_are_refused(corpus, tmp_path):
    train(tiny_config(corpus, **SETTINGS, training__num_steps=10), str(tmp_path / "one"))
    flag = f"--workdir={tmp_path / 'other'}"
    with ExitStack() as stack:
        both = start_both(stack, corpus, tmp_path / "one", [flag], training__num_steps=10)
        for errors in map(errors_of, both):
            assert "the processes see different steps in" in errors
            assert "(10, no step); give a --workdir on a file system that all of them" in errors
            assert errors.count("\n") == 1
