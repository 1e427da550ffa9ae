"""Directories in a bucket: whole steps or none, whatever happens, and one line for every fault."""

import json
from pathlib import Path

import pytest
from fake_bucket import Killed, fake_bucket

from zoo.buckets import Bucket, Mirror, cached_copy, is_address, local_copy
from zoo.errors import UserError

ADDRESS = "gs://bucket/runs/one"


@pytest.fixture
def bucket():
    with fake_bucket() as objects:
        yield objects


def write(root, **contents):
    """Writes files; `__` in a name is a slash."""
    for name, content in contents.items():
        path = Path(root, name.replace("__", "/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def write_step(root, step, content):
    """Writes one step, whose marker holds its files, as checksums do."""
    files = {"config.json": content, "params/a": content * 2, "state/b/c": content * 3}
    for name, text in files.items():
        path = root / "checkpoints" / str(step) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "checkpoints" / str(step) / "checksums.json").write_text(json.dumps(files))


def remove_step(root, step):
    place = root / "checkpoints" / str(step)
    for path in sorted(place.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    place.rmdir()


def contents(root):
    files = (path for path in Path(root).rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_text() for path in files}


def pulled(tmp_path, name="pulled"):
    """What another machine finds in the bucket."""
    directory = tmp_path / name
    directory.mkdir(exist_ok=True)
    Mirror(Bucket(ADDRESS), directory).pull()
    return contents(directory)


def whole_steps(found):
    """The steps of what was pulled; each is checked against its marker."""
    steps = set()
    for name, text in found.items():
        if name.endswith("/checksums.json"):
            place = name.removesuffix("checksums.json")
            inside = {key: found[key] for key in found if key.startswith(place) and key != name}
            assert inside == {place + key: value for key, value in json.loads(text).items()}
            steps.add(int(place.split("/")[-2]))
    unmarked = [name for name in found if name.startswith("checkpoints/")]
    assert all(int(name.split("/")[1]) in steps for name in unmarked)
    return steps


def stage(root, number):
    """A run's directory after a save: each deletes a step and writes metrics; one writes anew."""
    if number == 0:
        write(root, **{"config.json": "c", "metrics.jsonl": "1\n"})
        write_step(root, 4, "four")
    elif number == 1:
        write(root, **{"metrics.jsonl": "1\n2\n"})
        write_step(root, 8, "eight")
    elif number == 2:
        write(root, **{"metrics.jsonl": "1\n2\n3\n", "checkpoints/.9.incomplete/x": "half"})
        write_step(root, 12, "twelve")
        remove_step(root, 4)
    else:
        write_step(root, 12, "again")


STEPS = [{4}, {4, 8}, {8, 12}, {8, 12}]


def test_a_directory_is_the_same_in_the_bucket(bucket, tmp_path):
    here = tmp_path / "here"
    mirror = Mirror(Bucket(ADDRESS + "/"), here)
    for number, steps in enumerate(STEPS):
        stage(here, number)
        mirror.push()
        found = pulled(tmp_path)
        assert whole_steps(found) == steps
        here_now = contents(here)
        here_now.pop("checkpoints/.9.incomplete/x", None)
        assert found == here_now
    before = len(bucket.calls)
    mirror.push()
    assert len(bucket.calls) == before


@pytest.mark.parametrize("number", range(len(STEPS)))
def test_killed_at_any_call_it_leaves_whole_steps_and_the_next_push_mends_it(
    number, bucket, tmp_path
):
    calls = 0
    while True:
        with fake_bucket() as objects:
            here = tmp_path / f"here_{calls}"
            mirror = Mirror(Bucket(ADDRESS), here)
            for earlier in range(number):
                stage(here, earlier)
                mirror.push()
            before = STEPS[number - 1] if number else set()
            stage(here, number)
            objects.calls_left = calls
            try:
                mirror.push()
                assert calls > 4
                return
            except Killed:
                objects.calls_left = None
            steps = whole_steps(pulled(tmp_path, f"seen_{calls}"))
            assert steps >= (before & STEPS[number]) - ({12} if number == 3 else set())
            again = Mirror(Bucket(ADDRESS), tmp_path / f"again_{calls}")
            again.directory.mkdir()
            again.pull()
            if number == 2 and 4 not in steps:
                write_step(again.directory, 4, "four")  # which the stage removes
            stage(again.directory, number)
            again.push()
            assert whole_steps(pulled(tmp_path, f"mended_{calls}")) == STEPS[number]
            assert set(again.bucket.list_files()) == set(pulled(tmp_path, f"mended_{calls}"))
        calls += 1


def test_what_a_killed_process_left_of_a_step_is_gone_before_the_step_is_whole(tmp_path):
    for calls in range(100):
        with fake_bucket() as objects:
            write(tmp_path / "left", **{"stale": "half of another attempt"})
            files = Bucket(ADDRESS)
            files.store(tmp_path / "left/stale", "checkpoints/8/params/stale")
            mirror = Mirror(files, tmp_path / f"here_{calls}")
            mirror.directory.mkdir()
            mirror.pull()
            write_step(mirror.directory, 8, "eight")
            objects.calls_left = calls
            try:
                mirror.push()
                assert calls > 4
                return
            except Killed:
                objects.calls_left = None
            assert whole_steps(pulled(tmp_path, f"seen_{calls}")) <= {8}
    raise AssertionError("it was never whole")


def test_what_is_not_a_run_is_left_alone(bucket, tmp_path):
    write(tmp_path / "other", **{"notes.txt": "mine", "deep/er.txt": "mine too"})
    Mirror(Bucket(ADDRESS), tmp_path / "other").push()
    mirror = Mirror(Bucket(ADDRESS), tmp_path / "run")
    mirror.directory.mkdir()
    mirror.pull()
    (mirror.directory / "notes.txt").unlink()
    stage(mirror.directory, 0)
    mirror.push()
    assert {"notes.txt", "deep/er.txt"} <= set(mirror.bucket.list_files())


def test_a_name_that_leads_out_is_refused(bucket, tmp_path):
    bucket.store.clear()
    (tmp_path / "x").write_text("x")
    files = Bucket("gs://bucket")
    files.store(tmp_path / "x", "runs/one/../../evil")
    with pytest.raises(UserError, match="leads out of it"), local_copy(ADDRESS, lambda name: True):
        pass


def test_objects_that_change_while_they_are_copied_are_copied_again(bucket, tmp_path, monkeypatch):
    stage(tmp_path / "here", 0)
    mirror = Mirror(Bucket(ADDRESS), tmp_path / "here")
    mirror.push()
    fetch, fetched = Bucket.fetch, []

    def fetch_late(self, name, target):
        fetched.append(name)
        if len(fetched) == 2:
            for number in (1, 2):
                stage(tmp_path / "here", number)
            mirror.push()
        fetch(self, name, target)

    monkeypatch.setattr(Bucket, "fetch", fetch_late)
    assert whole_steps(pulled(tmp_path)) == {8, 12}


def test_only_addresses_are_addresses():
    assert all(map(is_address, ("gs://b", "s3://b/c", "http://x")))
    assert not any(map(is_address, ("", "/a/b", "a:b", "gs:/b", "~/gs", "C:\\x")))


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1/x", "file:///x", "memory://x", "https://a/b", "github://x"]
)
def test_only_buckets_are_asked(address):
    with pytest.raises(UserError, match="is an address that is not supported; give a path"):
        Bucket(address)


class DefaultCredentialsError(Exception):
    """What the packages of buckets raise, each one of its own."""


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (
            DefaultCredentialsError("no login\nlong"),
            "(DefaultCredentialsError: no login); check",
        ),
        (PermissionError(13, "Forbidden"), "credentials for it, such as from: gcloud auth"),
        (ImportError("Please install gcsfs"), "WHAT: Please install gcsfs"),
        (OSError(), "(OSError: OSError)"),
    ],
)
def test_a_fault_of_a_bucket_is_one_line(bucket, tmp_path, fault, told):
    stage(tmp_path / "here", 0)
    files = Bucket(ADDRESS)
    bucket.fault = fault
    push = Mirror(files, tmp_path / "here").push
    for what, action in (("read", files.list_files), ("written", push)):
        with pytest.raises(UserError) as caught:
            action()
        message = str(caught.value)
        assert message.startswith(f"{ADDRESS} cannot be {what}")
        assert "\n" not in message
        assert told.replace("WHAT", what) in message


def test_a_corpus_is_copied_once_and_again_when_it_changes(bucket, tmp_path):
    write(tmp_path / "here", **{"train.txt": "a", "deep/valid.txt": "b"})
    mirror = Mirror(Bucket(ADDRESS), tmp_path / "here")
    mirror.push()
    copies = [cached_copy(ADDRESS, tmp_path / "cache") for _ in range(2)]
    assert copies[0] == copies[1]
    assert contents(copies[0]) == {"train.txt": "a", "deep/valid.txt": "b"}
    assert cached_copy(f"{ADDRESS}/train.txt", tmp_path / "cache").read_text() == "a"
    write(tmp_path / "here", **{"train.txt": "another"})
    mirror.push()
    assert contents(cached_copy(ADDRESS, tmp_path / "cache"))["train.txt"] == "another"
    with pytest.raises(UserError, match="there is nothing at gs://bucket/none"):
        cached_copy("gs://bucket/none", tmp_path / "cache")
