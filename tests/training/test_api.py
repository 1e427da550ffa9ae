"""`zoo.train` and `zoo.config`: what train.py does, from Python and without a clone."""

import shutil

import pytest
from tiny_run import ROOT, read_config, tiny_config

import zoo
from zoo.errors import UserError
from zoo.training import config_names
from zoo.training.config import base_config

pytestmark = pytest.mark.usefixtures("optax_dtypes")


@pytest.mark.parametrize("name", zoo.list_configs())
def test_every_config_is_found_by_its_name(name):
    assert zoo.config(name).to_dict() == read_config(ROOT / "configs" / f"{name}.py").to_dict()


def test_the_names_are_those_of_the_files_of_configs():
    assert zoo.list_configs() == sorted(path.stem for path in (ROOT / "configs").glob("*.py"))


def test_an_installed_package_has_them_inside(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.setattr(config_names, "ROOTS", (tmp_path / "configs", tmp_path / "none"))
    assert zoo.config("python_docs_gru").model.cell == "gru"


def test_a_file_of_the_user_s(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "import zoo\n\n\ndef get_config(cell='elman'):\n"
        "    config = zoo.config('python_docs_lstm')\n    config.model.cell = cell\n"
        "    return config\n"
    )
    assert zoo.config(path).model.cell == "elman"
    assert zoo.config(f"{path}:gru").model.cell == "gru"


def test_the_config_that_a_released_checkpoint_was_trained_with():
    found = zoo.config("penn_treebank_lstm")
    assert found.data.directory == ""
    trained = zoo.load("penn_treebank_lstm").config
    for section in ("model", "optimizer", "training"):
        for name, value in trained[section].items():
            expected = tuple(value) if isinstance(value, list) else value
            assert found[section][name] == expected, name


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("def get_config():\n    return 3\n", r"get_config returns a int; return a ConfigDict"),
        ("def get_config():\n    return None + 1\n", r"TypeError: .*mine.py, line 2\)"),
        ("x = 1 / 0\n", r"mine.py fails: ZeroDivisionError: .*mine.py, line 1\)"),
        ("import nothing_at_all\n", r"is not a Python file that can be run: No module named"),
        ("", r"has no function get_config"),
        ("# A title\n\nof a text.\n", r"is not a Python file that can be run: invalid syntax"),
    ],
)
def test_a_file_that_fails_is_told_in_one_line(tmp_path, body, message):
    path = tmp_path / "mine.py"
    path.write_text(body)
    with pytest.raises(UserError, match=message) as caught:
        zoo.config(path)
    assert "\n" not in str(caught.value)


def test_train_gives_the_model_and_goes_on_where_it_was(corpus, tmp_path):
    lines = []
    config = tiny_config(corpus)
    trained = zoo.train(config, tmp_path / "run", log=lines.append)
    assert trained.step == 12
    assert any(line.startswith("step 12/12 ") for line in lines)
    assert zoo.perplexity(trained, "the rain sings") > 1
    again = zoo.train(config, tmp_path / "run", log=lines.append)
    assert again.step == trained.step
    config.training.num_steps = 14
    with pytest.raises(UserError, match=r"training\.num_steps: 12 -> 14"):
        zoo.train(config, tmp_path / "run", log=lines.append)
    zoo.train(config, tmp_path / "run", allow_config_change=True, log=lines.append)
    assert lines[-1].startswith("for the test split")


def test_train_gives_the_best_of_several_seeds(corpus, tmp_path):
    config = tiny_config(corpus, training__num_seeds=2)
    best = zoo.train(config, tmp_path, log=lambda line: None)
    scores = [zoo.load(tmp_path / f"seed_{seed}").progress["best_score"] for seed in (0, 1)]
    assert best.progress["best_score"] == min(scores)


def test_a_config_that_is_none_is_told_before_anything_is_written(tmp_path):
    with pytest.raises(UserError, match="no config is called 'nothing'"):
        zoo.train("nothing", tmp_path / "run")
    config = base_config("recurrent_lm")
    config.model.cell = "lstn"
    with pytest.raises(UserError, match=r"model\.cell is 'lstn'"):
        zoo.train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
