"""A run that starts from a trained model starts with exactly its parameters."""

import shutil

import jax
import numpy as np
import pytest
from tiny_run import array_bits, read_metrics, saved_bits, tiny_config

import zoo
from zoo.__main__ import main
from zoo.errors import UserError
from zoo.tasks.registry import build_workload
from zoo.training import checkpoints
from zoo.training.devices import MeshConfig, make_mesh
from zoo.training.init_from import has_sound_step, load_start, start_from
from zoo.training.loop import train
from zoo.training.release import release
from zoo.training.start import initial_state

pytestmark = pytest.mark.usefixtures("optax_dtypes")

STILL = {  # one step that moves no parameter by a bit
    "optimizer__name": "sgd",
    "optimizer__learning_rate": 1e-30,
    "optimizer__warmup_steps": 0,
    "training__num_steps": 1,
    "training__seed": 7,
}


def say_nothing(line):
    del line


@pytest.fixture(scope="module")
def source(corpus, tmp_path_factory):
    """The workdir of a trained run."""
    workdir = tmp_path_factory.mktemp("source")
    config = tiny_config(corpus, optimizer__learning_rate=0.1)
    train(config, str(workdir), log=say_nothing)
    return workdir


def params_of(workdir, step):
    return checkpoints.restore(checkpoints.step_directory(workdir, step)).params


@pytest.fixture(scope="module")
def expected(source):
    """The parameters of the best step, which are all other than zero."""
    params = jax.tree.map(np.asarray, zoo.load(source).params)
    assert all(leaf.all() for leaf in jax.tree.leaves(params))
    return params


def start_of(corpus, workdir, init_from, **more):
    """The parameters that a run starts from: those after its step that moves nothing."""
    config = tiny_config(corpus, training__init_from=str(init_from), **{**STILL, **more})
    train(config, str(workdir), log=say_nothing)
    return params_of(workdir, 1)


def test_without_it_a_run_starts_at_random(corpus, expected, tmp_path):
    assert array_bits(start_of(corpus, tmp_path, "")) != array_bits(expected)


def test_a_run_starts_from_the_best_step_of_another(corpus, source, expected, tmp_path):
    assert array_bits(start_of(corpus, tmp_path, source)) == array_bits(expected)


def test_a_run_starts_from_one_step_s_directory(corpus, source, tmp_path):
    step = checkpoints.steps(source)[0]
    place = checkpoints.step_directory(source, step)
    assert array_bits(start_of(corpus, tmp_path, place)) == array_bits(params_of(source, step))


def test_a_run_starts_from_a_file_that_export_wrote(corpus, source, expected, tmp_path):
    file = tmp_path / "exported.safetensors"
    main(["export", str(source), str(file)])
    assert array_bits(start_of(corpus, tmp_path / "run", file)) == array_bits(expected)


@pytest.mark.parametrize("half", [False, True])
def test_a_run_starts_from_a_released_name(corpus, source, expected, tmp_path, monkeypatch, half):
    """What was released in half precision is float32 again."""
    root = tmp_path / "released"
    release(
        zoo.load(source).directory, root / "tiny_elman", precision="half" if half else "float32"
    )
    monkeypatch.setenv("ZOO_CHECKPOINTS", str(root))
    rounded = jax.tree.map(lambda a: a.astype(np.float16).astype(np.float32), expected)
    found = start_of(corpus, tmp_path / "run", "tiny_elman")
    assert array_bits(found) == array_bits(rounded if half else expected)


def test_all_members_start_there(corpus, source, expected, tmp_path):
    config = tiny_config(corpus, training__init_from=str(source), training__num_seeds=2, **STILL)
    train(config, str(tmp_path), log=say_nothing)
    for name in ("seed_7", "seed_8"):
        assert array_bits(params_of(tmp_path / name, 1)) == array_bits(expected)


@pytest.mark.parametrize("start", ["never", "first_step", "stall"])
@pytest.mark.parametrize("num_seeds", [1, 2])
def test_the_state_before_the_first_step(corpus, source, expected, start, num_seeds):
    from zoo.training.members import combine, list_members

    config = tiny_config(corpus, training__averaging=start, training__num_seeds=num_seeds)
    workload = build_workload(config)
    params = load_start(str(source), workload).params
    assert array_bits(params) == array_bits(expected)
    if num_seeds > 1:
        workload = combine(workload, list_members(config.training))
        expected = jax.tree.map(lambda leaf: np.stack([leaf] * num_seeds), expected)
    state = initial_state(config, workload, make_mesh(MeshConfig(), num_rows=1))
    started = start_from(state, params)
    assert array_bits(started.params) == array_bits(expected)
    assert array_bits(started.used_params) == array_bits(expected)
    if start != "never":
        for own, used in zip(
            jax.tree.leaves(started.params), jax.tree.leaves(started.used_params), strict=True
        ):
            assert own is not used
    places = [jax.tree.map(lambda leaf: leaf.sharding, s.params) for s in (state, started)]
    assert places[0] == places[1]
    same = ("step", "optimizer_state", "carry", "key", "learning_rate_scale")
    for name in same:
        assert array_bits(getattr(started, name)) == array_bits(getattr(state, name))


def test_training_goes_on_from_there(corpus, source, tmp_path):
    """Its first score is near the last of the run before, not that of a random model."""
    settings = {**STILL, "evaluation__every_steps": 1}
    random = tiny_config(corpus, **settings)
    begun = tiny_config(corpus, training__init_from=str(source), **settings)
    from_random = train(random, str(tmp_path / "random"), log=say_nothing)
    from_trained = train(begun, str(tmp_path / "begun"), log=say_nothing)
    assert from_trained.best_score == pytest.approx(
        zoo.load(source).progress["best_score"], rel=1e-6
    )
    assert from_trained.best_score < from_random.best_score - 0.1


def error_of(config, workdir):
    with pytest.raises(UserError) as error:
        train(config, str(workdir), log=say_nothing)
    message = str(error.value)
    assert "\n" not in message
    assert not workdir.exists()
    return message


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"model__hidden_sizes": (4,)}, "is (5, {V}) there and (4, {V}) here"),
        ({"model__embedding_size": 7}, "['embedding'] is ({V}, 6) there and ({V}, 7) here"),
        (
            {"model__hidden_sizes": (5, 5)},
            "['stack']['layer_1']['bias'] is absent there and (5,) here",
        ),
        ({"model__learn_initial_state": True}, "is absent there and "),
        ({"model__tie_embeddings": True, "model__embedding_size": 5}, "here"),
    ],
)
def test_other_sizes_are_refused(corpus, source, expected, tmp_path, settings, part):
    config = tiny_config(corpus, training__init_from=str(source), **settings)
    message = error_of(config, tmp_path / "run")
    assert part.replace("{V}", str(len(expected["embedding"]))) in message
    for name, value in settings.items():
        own = f"{name.replace('__', '.')}={getattr(zoo.load(source).model.config, name[7:])}"
        assert f"{own} instead of {value}" in message


def test_a_model_that_is_not_there_is_refused(corpus, tmp_path):
    config = tiny_config(corpus, training__init_from=str(tmp_path / "nowhere"))
    assert "there is no checkpoint" in error_of(config, tmp_path / "run")
    empty = tmp_path / "empty"
    empty.mkdir()
    config = tiny_config(corpus, training__init_from=str(empty))
    assert f"{empty} is no checkpoint" in error_of(config, tmp_path / "run")


def test_several_members_are_no_start_but_one_of_them_is(corpus, source, tmp_path):
    several = tmp_path / "several"
    config = tiny_config(corpus, training__num_seeds=2, training__init_from=str(source), **STILL)
    train(config, str(several), log=say_nothing)
    config = tiny_config(corpus, training__init_from=str(several))
    assert "holds several models" in error_of(config, tmp_path / "run")
    found = start_of(corpus, tmp_path / "one", several / "seed_8")
    assert array_bits(found) == array_bits(params_of(several / "seed_8", 1))


def test_a_sound_step_is_one_that_a_run_can_go_on_from(source, tmp_path, monkeypatch):
    monkeypatch.chdir(source)  # "" is no workdir, and not the one that we are in
    assert not has_sound_step("")
    assert not has_sound_step(str(tmp_path / "nowhere"))
    run = tmp_path / "run"
    run.mkdir()
    assert not has_sound_step(str(run))
    shutil.copytree(source, run, dirs_exist_ok=True)
    assert has_sound_step(str(run))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert has_sound_step("~/run")
    *others, last = checkpoints.steps(run)
    assert others
    (checkpoints.step_directory(run, last) / "vocabulary.json").unlink()
    assert has_sound_step(str(run))  # by the one before
    for step in others:
        (checkpoints.step_directory(run, step) / "vocabulary.json").unlink()
    assert not has_sound_step(str(run))


class Killed(Exception):
    """The end of a process, without a checkpoint."""


def kill_at(start):
    def log(line):
        if line.startswith(start):
            raise Killed

    return log


def begin_and_lose_the_source(corpus, source, tmp_path, workdir, stop_at):
    """A run that was killed, and whose source is gone: its config, and that of a whole run."""
    copy = tmp_path / "copy"
    shutil.copytree(source, copy)
    config = tiny_config(corpus, training__init_from=str(copy))
    with pytest.raises(Killed):
        train(config, str(workdir), log=kill_at(stop_at))
    train(config, str(tmp_path / "whole"), log=say_nothing)
    shutil.rmtree(copy)
    return config


def test_a_stopped_run_goes_on_though_its_source_is_gone(corpus, source, tmp_path):
    cut = tmp_path / "cut"
    config = begin_and_lose_the_source(corpus, source, tmp_path, cut, "step 8/")
    assert checkpoints.steps(cut) == [6]
    train(config, str(cut), log=say_nothing)
    assert read_metrics(cut) == read_metrics(tmp_path / "whole")
    assert saved_bits(cut, 12) == saved_bits(tmp_path / "whole", 12)
    train(config, str(cut), log=say_nothing)  # finished: it only reports


def test_so_does_a_run_whose_workdir_is_below_the_home(corpus, source, tmp_path, monkeypatch):
    """`--workdir=~/run` is not expanded by the shell."""
    monkeypatch.setenv("HOME", str(tmp_path))
    config = begin_and_lose_the_source(corpus, source, tmp_path, "~/cut", "step 8/")
    assert checkpoints.steps(tmp_path / "cut") == [6]
    train(config, "~/cut", log=say_nothing)
    assert saved_bits(tmp_path / "cut", 12) == saved_bits(tmp_path / "whole", 12)


def test_a_run_without_a_sound_checkpoint_starts_from_its_source_again(corpus, source, tmp_path):
    cut, whole = tmp_path / "cut", tmp_path / "whole"
    config = tiny_config(corpus, training__init_from=str(source))
    with pytest.raises(Killed):
        train(config, str(cut), log=kill_at("step 8/"))
    (checkpoints.step_directory(cut, 6) / "vocabulary.json").unlink()
    train(config, str(cut), log=say_nothing)
    train(config, str(whole), log=say_nothing)
    assert saved_bits(cut, 12) == saved_bits(whole, 12)
