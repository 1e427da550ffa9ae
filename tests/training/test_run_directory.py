"""A workdir with files of others is refused, and each kind of started run is not."""

import json

import pytest

from zoo.errors import UserError
from zoo.training.run_directory import make_directory

FOREIGN = {
    "config.json": json.dumps({"architectures": ["A"], "vocab_size": 3}),
    "metrics.jsonl": '{"epoch": 1}\n',
    "report.html": "<p>mine</p>",
    "summary.json": "{}",
    "lock": "held by another program\n",
    "checkpoints/100/model.bin": "weights",
}


def write(directory, files):
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_that_no_run_wrote_is_named_and_stays(tmp_path, name):
    write(tmp_path, {name: FOREIGN[name], "notes.txt": "mine"})
    told = f"holds {name.partition('/')[0]}, and no run wrote that; choose another with --workdir"
    with pytest.raises(UserError, match=told):
        make_directory(tmp_path)
    assert (tmp_path / name).read_text() == FOREIGN[name]


@pytest.mark.parametrize(
    "files",
    [
        {"notes.txt": "mine"},
        {"lock": ""},
        {"lock": "process 3 on host, since today\n", "config.json": "{damaged"},
        {"config.json": json.dumps({"data": {}, "model": {}, "training": {}})},
        {"checkpoints/2/checksums.json": "{}", "metrics.jsonl": ""},
    ],
)
def test_other_files_and_what_a_run_leaves_are_accepted(tmp_path, files):
    write(tmp_path, files)
    make_directory(tmp_path)


def test_a_new_directory_is_made(tmp_path):
    make_directory(tmp_path / "deep" / "run")
    assert (tmp_path / "deep" / "run").is_dir()
