"""A run whose directory is in a bucket: killed at any call, it ends bit for bit as on disk."""

import random
from pathlib import Path

import pytest
import tiny_checkpoints
from fake_bucket import Killed, fake_bucket
from tiny_regression import make_config, regression_workload
from tiny_run import array_bits, read_metrics, saved_bits

import zoo
from zoo import hub
from zoo.__main__ import main
from zoo.buckets import Bucket, Mirror
from zoo.errors import UserError
from zoo.training import checkpoints, hosts
from zoo.training.devices import MeshConfig, make_mesh
from zoo.training.places import run_place
from zoo.training.run import Progress, Run
from zoo.training.start import initial_state

ADDRESS = "gs://bucket/runs/one"
SETTINGS = {"training__num_steps": 12, "evaluation__every_steps": 4}
SETTINGS |= {"training__checkpoint_every_steps": 4, "training__log_every_steps": 2}


ARPA = """\\data\\
ngram 1=4

\\1-grams:
-1.0 <unk>
-99 <s>
-0.5 </s>
-0.4 net

\\end\\
"""


@pytest.fixture
def bucket():
    with fake_bucket() as objects:
        yield objects


def noisy():
    return regression_workload(noise=0.1)


def fetched(tmp_path: Path, address: str = ADDRESS) -> Path:
    """The run as another machine finds it."""
    directory = tmp_path / "fetched"
    directory.mkdir()
    Mirror(Bucket(address), directory).pull()
    return directory


def test_a_run_that_is_killed_again_and_again_ends_as_one_on_disk(train, bucket, tmp_path):
    train(tmp_path / "disk", workload=noisy(), **SETTINGS)
    draw, kills, done = random.Random(1), 0, False
    while not done:
        bucket.calls_left = draw.randrange(70)
        try:
            log = train(ADDRESS, workload=noisy(), **SETTINGS)
            done = True
        except Killed:
            kills += 1
            bucket.calls_left = None
    assert kills >= 3
    found = fetched(tmp_path)
    assert checkpoints.steps(found) == checkpoints.steps(tmp_path / "disk")
    for step in checkpoints.steps(found):
        assert saved_bits(found, step) == saved_bits(tmp_path / "disk", step)
    assert read_metrics(found) == read_metrics(tmp_path / "disk")
    assert set(Bucket(ADDRESS).list_files()) == {
        path.relative_to(found).as_posix() for path in found.rglob("*") if path.is_file()
    }
    assert f"for the test split: python -m zoo evaluate {ADDRESS} --split=test" in log
    assert log[0] == f"a bucket has no locks; let only one process at a time train in {ADDRESS}"
    assert "/tmp" not in "\n".join(log)


def test_another_config_is_refused_with_the_name_of_the_bucket(train, bucket):
    train(ADDRESS, **SETTINGS | {"training__num_steps": 4})
    with pytest.raises(UserError, match=f"workdir {ADDRESS} holds a run with another config"):
        train(ADDRESS, **SETTINGS | {"training__seed": 5})


def test_a_bucket_that_refuses_a_step_ends_the_run_in_one_line(train, bucket):
    class Full(Exception):
        pass

    def refuse(self, name):
        if "checkpoints/8/" in name:
            raise Full("quota exceeded")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bucket, "_called", refuse)
        with pytest.raises(
            UserError, match=rf"^{ADDRESS} cannot be written \(Full: quota exceeded"
        ):
            train(ADDRESS, workload=noisy(), **SETTINGS)
    log = train(ADDRESS, workload=noisy(), **SETTINGS)
    assert log.having("step 4 of 12")


def test_another_process_reads_the_steps_that_the_first_one_wrote(bucket, monkeypatch):
    config, log = make_config(), []
    with run_place(ADDRESS, log.append) as ours, run_place(ADDRESS, log.append) as theirs:
        first, other = (Run(place, config) for place in (ours, theirs))
        state = initial_state(config, regression_workload(), make_mesh(MeshConfig(), 1))
        first.save(state, {}, Progress())
        monkeypatch.setattr(hosts, "is_first", lambda: False)
        restored = other.restore_arrays(0, state)
        assert array_bits(restored.params) == array_bits(state.params)


@pytest.mark.parametrize("name", ["lstm", "counts"])
def test_a_model_is_loaded_from_a_bucket(name, bucket, tmp_path):
    run = tiny_checkpoints.save(tmp_path / "runs", name)
    Mirror(Bucket("gs://bucket/runs"), tmp_path / "runs").push()
    expected = zoo.load(run)
    for place in (f"gs://bucket/runs/{name}", f"gs://bucket/runs/{name}/checkpoints/1/"):
        loaded = zoo.load(place)
        assert array_bits(loaded.params) == array_bits(expected.params)
        assert loaded.name == place
        assert loaded.directory == f"gs://bucket/runs/{name}/checkpoints/1"
        assert hub.describe(place) == hub.describe(run)


def test_a_file_is_loaded_and_a_page_is_made_from_a_bucket(bucket, train, tmp_path, capsys):
    (tmp_path / "small.arpa").write_text(ARPA)
    Bucket("gs://bucket").store(tmp_path / "small.arpa", "files/small.arpa")
    assert "net" in zoo.load("gs://bucket/files/small.arpa").vocabulary.tokens
    train(ADDRESS, **SETTINGS)
    assert main(["report", ADDRESS]) == 2
    assert "give --output=FILE.html for another page" in capsys.readouterr().err
    page = tmp_path / "page.html"
    assert main(["report", ADDRESS, f"--output={page}"]) == 0
    assert page.read_text().startswith("<!doctype html>")
    assert main(["report", "file:///x"]) == 2
    assert "is an address that is not supported" in capsys.readouterr().err


def test_damage_in_a_bucket_is_noticed_and_named(bucket, tmp_path):
    run = tiny_checkpoints.save(tmp_path / "runs", "lstm")
    path = next((run / "checkpoints/1/params").rglob("d/*"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    Mirror(Bucket("gs://bucket/runs"), tmp_path / "runs").push()
    with pytest.raises(UserError) as caught:
        zoo.load("gs://bucket/runs/lstm")
    assert "gs://bucket/runs/lstm/checkpoints/1 is damaged: params/" in str(caught.value)
    assert "/tmp" not in str(caught.value)


def test_a_place_without_a_model_is_told(bucket):
    with pytest.raises(UserError) as caught:
        zoo.load("gs://bucket/none")
    assert "gs://bucket/none" in str(caught.value)
    assert "\n" not in str(caught.value)
