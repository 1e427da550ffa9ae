"""A run, and a trained model, know the text that they were trained on."""

import pytest
from tiny_run import tiny_config, write_corpus

import zoo
from zoo.__main__ import main
from zoo.errors import UserError
from zoo.training import checkpoints
from zoo.training.loop import train


def silent(line):
    del line


@pytest.fixture
def stopped(tmp_path):
    """A text, a config on it, and the workdir of its run, which is to go on from step 6."""
    text = write_corpus(tmp_path)
    workdir = tmp_path / "run"
    train(tiny_config(text, training__num_steps=6), str(workdir), log=silent)
    return text, workdir


def change(text):
    """Two lines change places: the same words, and another text."""
    lines = text.read_text().splitlines()
    lines[0], lines[1] = lines[1], lines[0]
    text.write_text("\n".join(lines) + "\n")


def test_a_run_is_not_resumed_on_another_text_with_the_same_vocabulary(stopped):
    text, workdir = stopped
    change(text)
    with pytest.raises(UserError) as told:
        train(tiny_config(text, training__num_steps=6), str(workdir), log=silent)
    message = str(told.value)
    assert message.startswith(f"the train split is another text than when {workdir} was started")
    assert "--allow_config_change" in message
    assert "\n" not in message
    assert checkpoints.steps(workdir) == [6]


def test_another_vocabulary_is_told_before_arrays_that_do_not_fit(stopped):
    text, workdir = stopped
    text.write_text(text.read_text() + "%%% a new character\n" * 200)
    with pytest.raises(UserError, match="the corpus has another vocabulary than when"):
        train(tiny_config(text, training__num_steps=6), str(workdir), log=silent)


def test_it_is_where_that_is_allowed_and_says_so(stopped):
    text, workdir = stopped
    change(text)
    lines = []
    config = tiny_config(text, training__num_steps=12)
    train(config, str(workdir), allow_config_change=True, log=lines.append)
    assert f"the train split is another text than when {workdir} was started" in lines
    assert checkpoints.steps(workdir)[-1] == 12


@pytest.mark.filterwarnings("always")
def test_evaluate_notes_another_text(stopped, capsys):
    text, workdir = stopped
    flags = ["evaluate", str(workdir), "--split=train", f"--data_directory={text}"]
    assert main(flags) == 0
    assert capsys.readouterr().err == ""
    change(text)
    assert main(flags) == 0
    out, err = capsys.readouterr()
    assert "perplexity" in out
    assert err.startswith("note: the train split that was found is not the train split of the run")
    assert main([*flags[:2], "--split=test", flags[3]]) == 0
    assert capsys.readouterr().err == ""  # of this split nothing changed


def test_every_split_has_a_fingerprint(stopped):
    _, workdir = stopped
    known = zoo.load(workdir).progress["fingerprints"]
    assert set(known) == {"train", "validation", "test"}
    assert len(set(known.values())) == 3
