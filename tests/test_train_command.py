"""train.py: what it prints, and that every mistake is one line and exit code 2."""

import logging
import re
import runpy
import signal
import sys

import pytest
from tiny_run import CONFIG_FILE, ROOT, saved_bits, tiny_flags
from train_process import TrainProcess, run_train

import zoo
from zoo.__main__ import main
from zoo.training import checkpoints

pytestmark = pytest.mark.usefixtures("optax_dtypes")


@pytest.fixture
def command(monkeypatch, capsys):
    """train.py in this process: exit code, stdout, stderr. It saves the seconds of importing."""
    root_logger = logging.getLogger()
    handlers, level = root_logger.handlers[:], root_logger.level

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["train.py", *map(str, arguments)])
        code = 0
        try:
            runpy.run_path(str(ROOT / "train.py"), run_name="__main__")
        except SystemExit as end:
            code = end.code
        return code or 0, *capsys.readouterr()

    yield run
    root_logger.handlers[:] = handlers
    root_logger.setLevel(level)


@pytest.fixture
def refused(command, tmp_path):
    """Checks that a mistake is told as it should be; gives the message."""
    workdir = tmp_path / "run"

    def run(*arguments, workdir_flag=f"--workdir={workdir}"):
        code, printed, message = command(*arguments, *([workdir_flag] if workdir_flag else []))
        assert (code, printed) == (2, "")
        assert message.startswith("error: ")
        assert message.count("\n") == 1
        assert not workdir.exists()
        return message

    return run


def test_a_corpus_file_that_is_not_there(refused, corpus, tmp_path):
    missing = refused(*tiny_flags(corpus, data__directory=tmp_path / "none.txt"))
    assert str(tmp_path / "none.txt") in missing
    (tmp_path / "folder").mkdir()
    missing = refused(*tiny_flags(corpus, data__directory=tmp_path / "folder"))
    assert f"{tmp_path}/folder/train.txt is missing; put it there" in missing


def test_an_empty_corpus_file(refused, corpus, tmp_path):
    (tmp_path / "empty.txt").write_text("\n \n")
    message = refused(*tiny_flags(corpus, data__directory=tmp_path / "empty.txt"))
    assert f"{tmp_path}/empty.txt is empty; put the text into it" in message


def test_a_corpus_file_that_is_not_utf_8(refused, corpus, tmp_path):
    (tmp_path / "latin.txt").write_bytes("Straße\n".encode("latin-1"))
    message = refused(*tiny_flags(corpus, data__directory=tmp_path / "latin.txt"))
    assert f"{tmp_path}/latin.txt is not UTF-8: byte 0xdf at offset 4" in message


def test_a_batch_larger_than_the_corpus(refused, corpus):
    message = refused(*tiny_flags(corpus, data__batch_size=1000))
    assert re.search(r"too few for batch_size=1000 .* use --config.data.batch_size=\d+ or", message)


def test_a_field_that_is_wrong_is_told_with_its_flag(refused, corpus):
    message = refused(*tiny_flags(corpus, model__cell="lstn"))
    assert message.endswith(" (type --config.model.cell=...)\n")


def test_an_unknown_corpus_has_the_nearest_name(refused, corpus):
    message = refused(*tiny_flags(corpus, data__corpus="text_fiel"))
    assert "did you mean text_file?" in message


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("--config.training.num_step=3", 'Did you mean "num_steps"'),
        ("--config.trainin.num_steps=3", 'Did you mean "training"'),
        ("--config.training.xyzzy=3", "no such setting: 'xyzzy'"),
        ("--config.training.num_steps=many", "--config.training.num_steps=many"),
        ("--config.training.num_steps=1.5", "--config.training.num_steps=1.5"),
        ("--config.training.tensorboard=perhaps", "--config.training.tensorboard=perhaps"),
        ("--config.optimizer.learning_rate=fast", "--config.optimizer.learning_rate=fast"),
        ("--config.optimizer.learning_rate=nan", "optimizer.learning_rate is nan; use more than 0"),
        ("--config.model.hidden_sizes=('a',)", "model.hidden_sizes is ('a',); use int values"),
        ("--config.model.cell=lstn", "model.cell is 'lstn'; choose one of"),
        ("--config.model.architecture=recurent_lm", "try recurrent_lm"),
        (
            "--config.model.architecture=classifier",
            "is 'classifier', whose config has no data.batching, unlike",
        ),
        (
            "--config.model.architecture=ngram_lm",
            "is 'ngram_lm', whose config has no data.batch_size, unlike",
        ),
        ("--config.model=3", "--config.model"),
        ("--config.evaluation.mode=both", "evaluation.mode is 'both'; use stream or sentence"),
        ("--config.training.seed=-1", "training.seed is -1; use 0 to 4294967295"),
        ("--workdri=x", "Did you mean: workdir"),
        ("runs/x", "unexpected argument 'runs/x'"),
    ],
)
def test_a_bad_flag(refused, corpus, flag, expected):
    assert expected in refused(*tiny_flags(corpus), flag)


def test_a_missing_flag_is_told_with_an_example(refused):
    example = "python train.py --config=configs/python_docs_lstm.py --workdir=runs/demo"
    for message in (refused(), refused(f"--config={CONFIG_FILE}", workdir_flag="")):
        assert example in message
    assert refused().startswith("error: --config is missing; ")
    assert refused(f"--config={CONFIG_FILE}", workdir_flag="").startswith("error: --workdir is ")


@pytest.mark.parametrize("more", [(), ("--config.training.num_steps=3",)])
def test_a_config_file_that_can_not_be_read(refused, tmp_path, more):
    path = tmp_path / "none.py"
    assert f"No such file or directory: '{path}'" in refused(f"--config={path}", *more)
    assert f"{tmp_path} is no checkpoint" in refused(f"--config={tmp_path}", *more)
    assert "empty" in refused("--config=", *more)
    path.write_text("def get_config(:\n")
    assert "not a Python file that can be run: invalid syntax" in refused(f"--config={path}", *more)
    path.write_text("import nothing_of_the_kind\n")
    assert "No module named 'nothing_of_the_kind'" in refused(f"--config={path}", *more)
    path.write_text("globals().pop('get_config', None)  # of a file that was loaded before\n")
    assert "has no function get_config" in refused(f"--config={path}", *more)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("get_config = 3", "get_config fails: TypeError: 'int' object is not callable"),
        (
            "from zoo.training.config import base_config\nget_config = lambda: base_config('x')",
            "get_config fails: no architecture is called 'x'",
        ),
    ],
)
def test_a_config_file_whose_function_fails(refused, tmp_path, body, message):
    """ml_collections puts a whole traceback into its message."""
    (tmp_path / "mine.py").write_text(f"{body}\n")
    told = refused(f"--config={tmp_path}/mine.py")
    assert message in told
    assert "Traceback" not in told


def test_what_a_terminal_obeys_is_shown_by_its_number(refused, corpus):
    message = refused(*tiny_flags(corpus), "--config.training.num_steps=\x1b[2J")
    assert "num_steps=\\u001b[2J" in message


def test_an_unknown_field_in_a_config_file(refused, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from zoo.training.config import base_config\n\n\n"
        "def get_config():\n"
        "    config = base_config('recurrent_lm')\n"
        "    config.model.hiden_sizes = (8,)\n"
        "    return config\n"
    )
    assert 'Did you mean "hidden_sizes"' in refused(f"--config={path}")


def test_a_workdir_that_can_not_be_written(refused, corpus, tmp_path):
    (tmp_path / "file").write_text("mine")
    message = refused(*tiny_flags(corpus), workdir_flag=f"--workdir={tmp_path}/file/run")
    assert f"workdir {tmp_path}/file/run cannot be written (Not a directory)" in message
    assert (tmp_path / "file").read_text() == "mine"


def test_a_loss_that_is_no_number(command, corpus, tmp_path):
    arguments = tiny_flags(
        corpus,
        optimizer__name="sgd",
        optimizer__learning_rate=1e38,
        optimizer__clip_norm=0.0,
        optimizer__schedule="constant",
        optimizer__warmup_steps=6,  # its first step is one at rate 0
        training__checkpoint_every_steps=1,
        evaluation__every_steps=100,
    )
    code, _, message = command(*arguments, f"--workdir={tmp_path}")
    assert code == 2
    told = re.fullmatch(
        rf"error: [\w ]+ became (nan|-?inf) at step (\d+); the last good checkpoint is step (\d+) "
        rf"of {tmp_path}; .*\n",
        message,
    )
    assert told
    assert int(told[3]) == int(told[2]) - 1  # where it overflows depends on the processor


def test_another_config_is_refused_unless_it_is_allowed(command, corpus, tmp_path):
    workdir = f"--workdir={tmp_path}"
    settings = {"training__num_steps": 2, "evaluation__every_steps": 2}
    code, printed, message = command(*tiny_flags(corpus, **settings), workdir)
    assert (code, message) == (0, "")
    last = f"evaluate {tmp_path} --split=test --data_directory={corpus}"
    assert printed.splitlines()[-1].endswith(last)
    before = saved_bits(tmp_path, 2)
    settings["training__num_steps"] = 4
    code, printed, message = command(*tiny_flags(corpus, **settings), workdir)
    assert (code, printed) == (2, "")
    assert "(training.num_steps: 2 -> 4); choose another --workdir, or continue with " in message
    assert saved_bits(tmp_path, 2) == before
    code, _, message = command(*tiny_flags(corpus, **settings), workdir, "--allow_config_change")
    assert (code, message) == (0, "")
    assert checkpoints.steps(tmp_path)[-1] == 4


def test_zoo_train_takes_a_name_and_the_same_flags(capsys, corpus, tmp_path):
    """Short flags for fields, in any order, and those of train.py."""
    flags = tiny_flags(corpus, training__num_steps=2, evaluation__every_steps=2)[1:]
    flags = [flag.replace("--config.", "--") for flag in flags[::2]] + flags[1::2]
    words = ["train", flags[0], "python_docs_lstm", *flags[1:], "--workdir", str(tmp_path / "run")]
    assert main(words) == 0
    printed, message = capsys.readouterr()
    assert message == ""
    assert printed.splitlines()[-1].startswith("for the test split: python -m zoo evaluate ")
    config = zoo.load(tmp_path / "run").config
    assert (config["model"]["cell"], config["training"]["num_steps"]) == ("elman", 2)


def test_the_last_of_a_repeated_tuple_holds(capsys, corpus, tmp_path):
    """It does for numbers; ml_collections would make layers of 9, 5 and 5 units here."""
    flags = tiny_flags(corpus, training__num_steps=2, evaluation__every_steps=2)[1:]
    sizes = ["--model.hidden_sizes=9", "--config.model.hidden_sizes=5,5"]
    words = ["train", "python_docs_lstm", *flags, *sizes, f"--workdir={tmp_path / 'run'}"]
    assert main(words) == 0
    assert zoo.load(tmp_path / "run").config["model"]["hidden_sizes"] == [5, 5]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "--config is missing; type, for example: python -m zoo train python_docs_lstm"),
        (["python_docs_lstm"], "--workdir is missing"),
        (["python_docs_lstn", "--workdir=x"], "did you mean python_docs_lstm?"),
        (["python_docs_lstm", "runs/x"], "unexpected argument 'runs/x'"),
        (["python_docs_lstm", "--workdri=x"], "Did you mean: workdir"),
        (["python_docs_lstm", "--workdir=x", "--config.=3"], "Could not parse ''"),
        (["python_docs_lstm", "--workdir=x", "--config.model.cell.x=3"], "string indices"),
        (["python_docs_lstm", "--workdir=x", "--model.cel=gru"], 'Did you mean "cell"'),
        (["csv_classifier", "--workdir=x"], "--data.directory="),
    ],
)
def test_mistakes_of_zoo_train_are_one_line(capsys, tmp_path, monkeypatch, words, expected):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *words]) == 2
    printed, message = capsys.readouterr()
    assert printed == ""
    assert expected in message.replace("--config.data", "--data")
    assert message.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_help_names_the_flags(capsys, command):
    code, printed, _ = command("--help")
    assert code == 0
    assert printed.startswith("usage: python train.py --config=CONFIG --workdir=DIR")
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    for text in (printed, capsys.readouterr().out):
        for flag in ("--workdir", "--allow_config_change", "--distributed", "--coordinator"):
            assert flag in text


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--num_processes=2"], "--coordinator, --num_processes and --process_id go together"),
        (
            ["--coordinator=127.0.0.1:1", "--num_processes=2", "--process_id=2"],
            "--process_id is 2; use 0 to 1",
        ),
    ],
)
def test_processes_that_can_not_meet(refused, corpus, flags, message):
    assert message in refused(*tiny_flags(corpus), *flags)


def test_a_real_process_tells_its_progress_and_stops_at_ctrl_c(corpus, tmp_path):
    settings = {"training__num_steps": 1_000_000, "training__checkpoint_every_steps": 1_000_000}
    arguments = tiny_flags(corpus, **settings, evaluation__every_steps=1_000_000)
    with TrainProcess(*arguments, f"--workdir={tmp_path}") as process:
        line = process.wait_for("step 40/1000000  ")
        assert line, process.finish()
        process.stop(signal.SIGINT)
        code, errors = process.finish()
    assert (code, errors) == (0, "")
    assert re.match(r"step 40/1000000  loss \d\.\d{4} nats  [\d,]+ tokens/s  .*\d+ s left$", line)
    assert re.match(r"tokens: train [\d,]+, of which ", process.lines[0])
    assert re.match(r"[\d,]+ parameters; step 0 of 1000000$", process.lines[2])
    (step,) = checkpoints.steps(tmp_path)
    assert process.lines[-1] == f"stopped at step {step}; the same command continues from here"
    assert step >= 40


def test_a_real_process_ends_with_exit_code_2_and_one_line(corpus, tmp_path):
    arguments = tiny_flags(corpus, data__directory=tmp_path / "none.txt")
    code, lines, errors = run_train(*arguments, f"--workdir={tmp_path / 'run'}")
    assert (code, lines) == (2, [])
    assert errors.startswith(f"error: {tmp_path}/none.txt ")
    assert errors.count("\n") == 1
