"""A run's directory is taken up where it was, and never mixed with another run."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tiny_run import array_bits

from zoo.errors import UserError
from zoo.report.records import METRICS, read_sealed
from zoo.training import checkpoints, step_files
from zoo.training.config import base_config
from zoo.training.places import RunPlace
from zoo.training.run import Progress, Run
from zoo.training.state import create_state

VOCABULARY = {"kind": "character", "tokens": ["<unk>", "<s>", "</s>", "é"]}


TASK, OPTIMIZER = object(), optax.adam(0.1)  # no step is taken here


def make_state(seed=0, step=0, size=3):
    """A train state with random numbers in all its places."""
    rng = np.random.default_rng(seed)
    params = {"weight": jnp.asarray(rng.normal(size=size), jnp.float32)}
    carry = ((jnp.asarray(rng.normal(size=(2, 4)), jnp.float32),),)
    state = create_state(TASK, OPTIMIZER, params, carry, jax.random.key(seed))
    moments = jax.tree.map(
        lambda array: jnp.asarray(9 * rng.normal(size=array.shape), array.dtype),
        state.optimizer_state,
    )
    return state.replace(
        step=jnp.int32(step),
        optimizer_state=moments,
        learning_rate_scale=jnp.float32(rng.uniform()),
    )


def open_run(workdir, seed=None, **options):
    config = base_config("recurrent_lm")
    if seed is not None:
        config.training.seed = seed
    return Run(RunPlace(str(workdir)), config, **options)


def start(workdir, seed=None):
    """A run that has begun: its config is written."""
    run = open_run(workdir, seed)
    run.resume(make_state(), VOCABULARY, print)
    return run


def write_metrics(workdir, *steps, tail=""):
    lines = [json.dumps({"step": step, "split": "train", "loss_nats": 0.5}) for step in steps]
    (workdir / "metrics.jsonl").write_text("".join(line + "\n" for line in lines) + tail)


def metric_steps(workdir):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["step"] for line in lines]


PROGRESS = Progress(
    best_step=3,
    best_score=1 / 3,
    stalled=2,
    stalled_at_rate=1,
    sums={"loss_nats": 0.1, "steps": 2.0},
    validation={"perplexity": 7.25},
)


def test_a_new_run_makes_its_directory_and_begins_with_the_template(tmp_path):
    workdir = tmp_path / "runs" / "first"
    run, template = open_run(workdir), make_state()
    state, progress = run.resume(template, VOCABULARY, pytest.fail)
    assert array_bits(state) == array_bits(template)
    assert progress == Progress()
    config = read_sealed(workdir / "config.json")
    assert config == json.loads(base_config("recurrent_lm").to_json())
    assert sorted(path.name for path in workdir.iterdir()) == ["config.json"]


def test_every_bit_and_all_progress_comes_back(tmp_path):
    state = make_state(seed=4, step=3)
    directory = open_run(tmp_path).save(state, VOCABULARY, PROGRESS)
    assert directory == tmp_path / "checkpoints" / "3"
    resumed, progress = open_run(tmp_path).resume(make_state(seed=5), VOCABULARY, pytest.fail)
    assert array_bits(resumed) == array_bits(state)
    assert progress == PROGRESS
    assert (resumed.objective, resumed.optimizer) == (TASK, OPTIMIZER)
    restored = checkpoints.restore(directory)
    assert restored.vocabulary == VOCABULARY
    assert restored.config == json.loads(base_config("recurrent_lm").to_json())


def test_the_best_and_the_latest_are_kept_or_the_latest_two(tmp_path):
    run = open_run(tmp_path)
    kept = {1: [1], 2: [1, 2], 3: [2, 3], 4: [2, 4], 5: [4, 5], 6: [5, 6]}
    for step, best in ((1, None), (2, 2), (3, 2), (4, 2), (5, 5), (6, 5)):
        run.save(make_state(step=step), VOCABULARY, Progress(best_step=best))
        assert checkpoints.steps(tmp_path) == kept[step]


def test_the_arrays_of_another_step_can_be_had(tmp_path):
    run = open_run(tmp_path)
    for step in (2, 4):
        run.save(make_state(seed=step, step=step), VOCABULARY, Progress(best_step=2))
    assert array_bits(run.restore_arrays(2, make_state())) == array_bits(make_state(2, 2))


def test_a_damaged_best_step_is_told_in_one_line(tmp_path):
    run = open_run(tmp_path)
    directory = run.save(make_state(step=2), VOCABULARY, PROGRESS)
    (directory / "vocabulary.json").write_text("{}")
    with pytest.raises(UserError, match=rf"^{directory} is damaged: vocabulary.json ") as caught:
        run.restore_arrays(2, make_state())
    assert "\n" not in str(caught.value)


def test_another_config_is_refused_and_nothing_is_changed(tmp_path):
    start(tmp_path, seed=1).save(make_state(step=2), VOCABULARY, PROGRESS)
    write_metrics(tmp_path, 1, 2)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    message = rf"workdir {tmp_path} holds a run with another config \(training.seed: 1 -> 2\); "
    with pytest.raises(UserError, match=message) as caught:
        open_run(tmp_path, seed=2)
    assert "--allow_config_change" in str(caught.value)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_another_cache_is_no_other_config(tmp_path):
    start(tmp_path).save(make_state(step=2), VOCABULARY, PROGRESS)
    config = base_config("recurrent_lm")
    config.data.cache_directory = str(tmp_path / "cache")
    state, _ = Run(RunPlace(str(tmp_path)), config).resume(make_state(), VOCABULARY, pytest.fail)
    assert int(state.step) == 2


def test_another_config_is_taken_where_it_is_allowed(tmp_path):
    start(tmp_path, seed=1).save(make_state(step=2), VOCABULARY, PROGRESS)
    run = open_run(tmp_path, seed=2, allow_config_change=True)
    state, _ = run.resume(make_state(), VOCABULARY, pytest.fail)
    assert int(state.step) == 2
    open_run(tmp_path, seed=2)  # this is now the config of the run
    with pytest.raises(UserError):
        open_run(tmp_path, seed=1)


def test_another_config_is_taken_before_the_first_checkpoint(tmp_path):
    start(tmp_path, seed=1)
    start(tmp_path, seed=2)
    assert json.loads((tmp_path / "config.json").read_text())["training"]["seed"] == 2


def test_a_config_whose_arrays_do_not_fit_leaves_the_run_as_it_was(tmp_path):
    start(tmp_path, seed=1).save(make_state(step=2), VOCABULARY, PROGRESS)
    run = open_run(tmp_path, seed=2, allow_config_change=True)
    with pytest.raises(UserError, match=r"\['weight'\] is float32\[3\] and should be float32\[4\]"):
        run.resume(make_state(size=4), VOCABULARY, pytest.fail)
    open_run(tmp_path, seed=1).resume(make_state(), VOCABULARY, pytest.fail)


def test_a_corpus_with_another_vocabulary_is_refused(tmp_path):
    start(tmp_path).save(make_state(step=2), VOCABULARY, PROGRESS)
    other = {**VOCABULARY, "tokens": ["another"]}
    with pytest.raises(UserError, match="the corpus has another vocabulary"):
        open_run(tmp_path).resume(make_state(), other, pytest.fail)


@pytest.mark.parametrize("damage", [lambda text: "{", lambda text: text.replace(": 0", ": 8", 1)])
def test_a_run_whose_config_is_damaged_says_so_and_goes_on(tmp_path, damage):
    start(tmp_path).save(make_state(step=2), VOCABULARY, PROGRESS)
    path, notes = tmp_path / "config.json", []
    path.write_text(damage(path.read_text()))
    state, _ = open_run(tmp_path).resume(make_state(), VOCABULARY, notes.append)
    assert int(state.step) == 2
    assert notes == [f"{path} was damaged and is written again"]
    assert read_sealed(path)["training"]["seed"] == 0


@pytest.mark.parametrize("text", [None, "{", "[]", '{"training": 1}'])
def test_where_a_config_is_lost_the_newest_step_has_it(tmp_path, text):
    start(tmp_path, seed=1).save(make_state(step=2), VOCABULARY, PROGRESS)
    (tmp_path / "config.json").unlink()
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(UserError, match=r"another config \(training.seed: 1 -> 2\)"):
        open_run(tmp_path, seed=2)
    state, _ = open_run(tmp_path, seed=1).resume(make_state(), VOCABULARY, print)
    assert int(state.step) == 2


def test_where_both_configs_are_damaged_the_step_is_set_aside(tmp_path):
    directory = start(tmp_path).save(make_state(step=2), VOCABULARY, PROGRESS)
    for place in (tmp_path, directory):
        (place / "config.json").write_text('{"training": {"seed": 8}}')
    (tmp_path / "config.json").write_text("{")
    state, _ = open_run(tmp_path).resume(make_state(), VOCABULARY, print)
    assert int(state.step) == 0
    assert (directory.parent / "2.damaged").exists()


def test_a_damaged_latest_step_is_named_and_the_one_before_is_used(tmp_path):
    run = open_run(tmp_path)
    for step in (2, 4):
        directory = run.save(make_state(step, step), VOCABULARY, Progress(best_step=2))
    (directory / "progress.json").write_bytes(b"")
    write_metrics(tmp_path, 1, 2, 3, 4)
    messages = []
    state, progress = open_run(tmp_path).resume(make_state(), VOCABULARY, messages.append)
    assert messages == [f"{directory} is damaged: progress.json differs from its checksum"]
    assert array_bits(state) == array_bits(make_state(2, 2))
    assert progress.best_step == 2
    assert metric_steps(tmp_path) == [1, 2]
    assert checkpoints.steps(tmp_path) == [2]


@pytest.mark.parametrize("tail", ["", '{"step": 3, "spl'])
def test_metrics_after_the_checkpoint_and_half_lines_are_dropped(tmp_path, tail):
    open_run(tmp_path).save(make_state(step=4), VOCABULARY, PROGRESS)
    write_metrics(tmp_path, 2, 4, *([5, 6] if not tail else []), tail=tail)
    run = open_run(tmp_path)
    run.resume(make_state(), VOCABULARY, pytest.fail)
    with run.append(METRICS) as file:
        file.write(json.dumps({"step": 5}) + "\n")
    assert metric_steps(tmp_path) == [2, 4, 5]


@pytest.mark.parametrize("damage", ["garbage", "[]", "{}", '{"step": 2}x', "[" * 9999, "\udcff"])
def test_a_damaged_line_of_the_metrics_is_told_and_the_others_stay(tmp_path, damage):
    open_run(tmp_path).save(make_state(step=4), VOCABULARY, PROGRESS)
    lines = ['{"step": 1}', damage, '{"step": 3}', '{"step": 5}', ""]
    (tmp_path / METRICS).write_text("\n".join(lines), encoding="utf-8", errors="surrogateescape")
    told = []
    open_run(tmp_path).resume(make_state(), VOCABULARY, told.append)
    assert told == [f"{tmp_path / METRICS}: line 2 is damaged and left out"]
    assert metric_steps(tmp_path) == [1, 3]


def test_a_step_whose_sums_agree_but_whose_arrays_are_none_is_told_in_one_line(tmp_path):
    directory = open_run(tmp_path).save(make_state(step=4), VOCABULARY, PROGRESS)
    (directory / "params" / "_METADATA").write_text("{}")
    step_files.write_sums(checkpoints.epath.Path(directory))
    with pytest.raises(UserError, match=rf"params is damaged: .*; remove {directory}, ") as caught:
        open_run(tmp_path).resume(make_state(), VOCABULARY, pytest.fail)
    assert "\n" not in str(caught.value)


def test_metrics_of_a_run_without_a_checkpoint_are_dropped(tmp_path):
    start(tmp_path)
    write_metrics(tmp_path, 1, 2)
    open_run(tmp_path).resume(make_state(), VOCABULARY, pytest.fail)
    assert metric_steps(tmp_path) == []


def test_metrics_can_be_read_while_the_run_goes_on(tmp_path):
    with start(tmp_path).append(METRICS) as file:
        file.write('{"step": 1}\n')
        assert metric_steps(tmp_path) == [1]


@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_a_workdir_that_is_a_file_or_below_one_is_refused(tmp_path, below):
    (tmp_path / "file").write_text("")
    workdir = tmp_path / "file" / below
    with pytest.raises(
        UserError, match=rf"^workdir {workdir} cannot be written \(.+--workdir=DIR$"
    ):
        open_run(workdir)


def test_a_workdir_without_the_right_to_write_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(UserError, match=r"cannot be written \(Permission denied\)"):
        open_run(tmp_path)


def test_a_relative_workdir_and_one_at_home_are_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert open_run("here").directory == tmp_path / "here"
    assert open_run("~/there").directory == tmp_path / "home" / "there"
