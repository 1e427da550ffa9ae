"""Bad values of every flag and argument of every command, and of train.py's: one line, exit code 2.

    CAMPAIGN_SEED=7 CAMPAIGN_TRIALS=10 python -m pytest -m slow tests/campaign/test_bad_commands.py

Flags are found in the parsers, so a new one is attacked too. Each call runs in this process and may
take `SECONDS`. A legal value may succeed. Nothing real can be overwritten: what a command writes to
lies in a directory of the test.
"""

import argparse
import logging
import os
import runpy
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import tiny_checkpoints
from campaign import hostile
from campaign.attempts import fault_of
from campaign.running import Ended, command_fault, fault_of_end, run
from campaign.tally import Attack, draw, trials
from tiny_run import CONFIG_FILE, ROOT, tiny_flags, write_corpus

from zoo import __main__ as program
from zoo.training.config import base_config

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("optax_dtypes"),
    pytest.mark.filterwarnings("ignore"),
]
SECONDS = 30
VALUES = (
    *(
        "",
        " ",
        "-1",
        "0",
        "1",
        "7",
        "-0.5",
        "1e400",
        "1e308",
        "100000000000000000000",
        "4294967296",
    ),
    *(
        "2147483648",
        "nan",
        "inf",
        "-inf",
        "x",
        "1.5",
        "0x10",
        "1_000",
        "\u0663",
        "9" * 5000,
        "None",
    ),
    *("missing", "missing/file.png", ".", "..", "~nosuchuser/x", "~", "http://127.0.0.1:9/x.png"),
    *("file:///etc/passwd", "gs://bucket/x", "n" * 256, "n" * 256 + ".png", "n" * 5000, "a\nb"),
    *("\udcff\udcfe", "\udcff.png", "\x1b[2J", "--", "-", "%s", "$(x)", "a=b", "*", "[", "?.arpa"),
    *("{directory}", "{fifo}", "{empty}", "{binary}", "{locked}/x.png", "{text}", "{text}/x.png"),
    *("{fifo}.arpa", "{directory}.safetensors", "{binary}.arpa.gz", "{empty}.lm", "{run}"),
)
READ_ONLY = ("/dev/zero", "/dev/null", "/dev/tty", "/dev/stdin", "/proc/self/mem", "/")
OUTPUTS = ("file", "directory", "output", "picture", "workdir")  # which as root could be replaced
BASES: dict[str, tuple[str, ...]] = {
    "list": ("",),
    "config": ("python_docs_lstm", "{lstm}"),
    "train": ("",),
    "generate": ("{lstm} --max_tokens=3",),
    "evaluate": ("{lstm} --text={text}", "{topics} --text={table}", "{german}"),
    "classify": ("{topics} text",),
    "tag": ("{names} text",),
    "translate": ("{german} text",),
    "compare": ("{lstm} {counts} --text={text} --samples=10",),
    "perplexity": ("{lstm} text", "{counts} --file={table} --column=text --format=csv"),
    "mix": ("{lstm} {counts} --tune={text} --text={text}",),
    "diagnose": ("{lstm} --text={text} --steps=2",),
    "export": ("{counts} {out}.arpa", "{lstm} {out}.safetensors"),
    "report": ("{run}",),
    "serve": ("{lstm} --port=0",),
    "release": ("{lstm} {out}",),
    "verify": ("missing",),
}
CHECKPOINTS = ("lstm", "counts", "topics", "german", "names")
OWN_FLAGS = (
    *("config", "workdir", "allow_config_change"),
    *("distributed", "coordinator", "num_processes", "process_id"),
)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Checkpoints, texts and files that are none, by name."""
    root = tmp_path_factory.mktemp("bad")
    made = {n: str(tiny_checkpoints.save(root, n)) for n in CHECKPOINTS}
    made |= hostile.make_places(root / "places")
    made |= {name: str(root / name) for name in ("directory", "fifo", "empty", "binary", "run")}
    for name in ("directory", "locked", "run"):
        (root / name).mkdir()
    for suffix in ("", ".arpa"):
        os.mkfifo(root / f"fifo{suffix}")
    (root / "directory.safetensors").mkdir()
    for name in ("empty", "empty.lm"):
        (root / name).write_bytes(b"")
    for name in ("binary", "binary.arpa.gz"):
        (root / name).write_bytes(bytes(range(256)) * 8)
    (root / "run" / "config.json").write_text(base_config("recurrent_lm").to_json())
    (root / "locked").chmod(0o500)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE", str(root / "cache"))
        patch.setenv("ZOO_CHECKPOINTS", "")
        patch.setattr("zoo.commands.serve._serve", lambda *_: None)  # it would serve for ever
        patch.setattr("jax.distributed.initialize", _join_nobody)  # it would wait for minutes
        (root / "here").mkdir()
        patch.chdir(root / "here")
        yield made | {"locked": str(root / "locked"), "root": str(root)}
    (root / "locked").chmod(0o700)


def _join_nobody(*_: Any, **__: Any) -> None:
    raise RuntimeError("nobody answers")


def actions_of(command: str) -> list[argparse.Action]:
    """The flags and arguments of a command."""
    subparsers = program._parser()._subparsers._group_actions[0]
    return [a for a in subparsers.choices[command]._actions if a.dest != "help"]


def cases(command: str) -> Iterator[tuple[str, argparse.Action, str]]:
    """Every base, flag or argument, and value."""
    for base in BASES[command]:
        for action in actions_of(command):
            own = () if action.dest in OUTPUTS else READ_ONLY
            for value in (*VALUES, *own):
                yield base, action, value


def words_of(base: str, action: argparse.Action, value: str, places: dict[str, str]) -> list[str]:
    """The words of a command with a value for one of its flags or arguments."""
    words = [word.format(**places) for word in base.split()]
    value = value.format(**places) if "{" in value else value
    if not action.option_strings:
        is_second = action.dest in ("file", "directory", "texts")
        words[is_second : is_second + 1] = [value]
        return words
    flag = action.option_strings[-1]
    return [*(w for w in words if not w.startswith(f"{flag}=")), f"{flag}={value}"]


@pytest.mark.parametrize("command", program.COMMANDS)
def test_a_bad_value_is_one_line(command, places, tmp_path):
    chance = draw(command)
    chosen = list(cases(command))
    chance.shuffle(chosen)
    with Attack(f"bad values: zoo {command}") as attack:
        for number, (base, action, value) in enumerate(chosen[: trials(90)]):
            here = places | {"out": str(tmp_path / f"out{number}")}
            words = words_of(base, action, value, here)
            fault, _ = command_fault([command, *words], stdin=b"a net\n", seconds=SECONDS)
            attack.tried()
            if fault:
                attack.failed("tracebacks", f"{command} {str(words)[:300]}: {fault}")


@pytest.mark.parametrize("command", program.COMMANDS)
def test_odd_words_are_one_line(command, places, tmp_path):
    odd = ([], ["--"], [""], ["--nosuch"], ["--nosuch=1"], ["-x"], ["x"] * 300, ["\udcff"], ["--="])
    odd += (["--json=1"], ["--json", "--json"], ["--text"], ["\0"], ["{"], ["@/etc/passwd"], ["-"])
    with Attack(f"odd words: zoo {command}") as attack:
        for base in BASES[command]:
            words = [word.format(**places, out=tmp_path / "out") for word in base.split()]
            for more in odd:
                for line in ([*words, *more], more):
                    fault, _ = command_fault([command, *line], seconds=SECONDS)
                    attack.tried()
                    if fault:
                        attack.failed("tracebacks", f"{command} {str(line)[:300]}: {fault}")


TEXTS = (
    *(b"", b"\n", b"\0", b"\xff", b"\xff\xfe", b"a\r\nb\r", b"\xef\xbb\xbf", b"\xed\xa0\x80\n"),
    *(
        b"a " * 20_000,
        b"\n" * 3000,
        "日本 \u202e \x1b[2J\n".encode(),
        b"<s> </s> <unk>\n",
        b"\x1c\n",
    ),
)


@pytest.mark.parametrize(
    "command", ["classify {topics}", "tag {names}", "translate {german} --beam_size=1"]
)
def test_odd_lines_are_worked_on_or_one_line(command, places, tmp_path):
    with Attack(f"odd lines: zoo {command.split()[0]}") as attack:
        for content in TEXTS:
            path = tmp_path / "lines.txt"
            path.write_bytes(content)
            words = [word.format(**places) for word in command.split()]
            for more, piped in (([], content), ([f"--file={path}"], b"")):
                fault, _ = command_fault([*words, *more], stdin=piped, seconds=SECONDS)
                attack.tried()
                if fault:
                    attack.failed("tracebacks", f"{command} {more} {content[:40]!r}: {fault}")


def run_train(arguments: Sequence[str]) -> Ended:
    """train.py in this process."""
    logger = logging.getLogger()
    handlers, level = logger.handlers[:], logger.level
    try:
        with mock.patch.object(sys, "argv", ["train.py", *arguments]):
            return run(lambda: runpy.run_path(str(ROOT / "train.py"), run_name="__main__") and 0)
    finally:
        logger.handlers[:] = handlers
        logger.setLevel(level)


def train_flags() -> list[str]:
    """The flags of train.py, and those of all fields of a config."""
    fields = [
        f"config.{section}.{field}"
        for section, values in base_config("recurrent_lm").items()
        for field in values
    ]
    return [*OWN_FLAGS, *fields, "config.model", "config.nosuch", "nosuch", "config.data.nosuch"]


def fault_of_train(words: list[str], **options: Any) -> str:
    """What is wrong with how train.py ends; "" for nothing. Options are those of `fault_of_end`."""
    ended = Ended(0, "", "")

    def call() -> None:
        nonlocal ended
        ended = run_train(words)

    fault, _ = fault_of(call, seconds=SECONDS)
    return fault or fault_of_end(ended, **options)


def test_a_bad_flag_of_train_is_one_line(places, tmp_path, monkeypatch):
    """Configs and corpora are real; the training itself is left to `test_config_fields.py`."""
    monkeypatch.setattr("zoo.training.loop.train_workload", lambda *_, **__: None)
    base = [*tiny_flags(write_corpus(tmp_path)), f"--workdir={tmp_path}/run"]
    chance = draw("train.py")
    chosen = [
        (flag, value) for flag in train_flags() for value in (*VALUES, "(1,)", "()", "(", "[1]")
    ]
    chance.shuffle(chosen)
    with Attack("bad values: train.py") as attack:
        for flag, value in chosen[: trials(250)]:
            value = value.format(**places) if "{" in value else value
            words = [*base, f"--{flag}={value}"]
            attack.tried()
            if fault := fault_of_train(words):
                attack.failed("tracebacks", f"train.py --{flag}={value[:80]!r}: {fault}")


CONFIGS = (
    *("", "x = 1", "get_config = 3", "def get_config():\n    return None", "1 / 0", "(", "\0"),
    *("def get_config():\n    return 1 / 0", "def get_config(a, b):\n    pass", "import nosuch"),
    *(
        "def get_config():\n    return {}",
        "def get_config():\n    return [1]",
    ),
    "from ml_collections import ConfigDict\ndef get_config():\n    return ConfigDict()",
    "from ml_collections import ConfigDict\ndef get_config():\n    return ConfigDict({'model': 3})",
    "from ml_collections import ConfigDict\ndef get_config():\n    return ConfigDict({'x': {}})",
    "from zoo.training.config import base_config\ndef get_config():\n    return base_config('x')",
)


def test_a_bad_config_file_is_one_line(places, tmp_path):
    with Attack("bad config files") as attack:
        for number, text in enumerate(CONFIGS):
            path = tmp_path / f"config{number}.py"
            path.write_text(text)
            words = [f"--config={path}", f"--workdir={tmp_path}/run"]
            attack.tried()
            if fault := fault_of_train(words, allowed=(2,)):
                attack.failed("tracebacks", f"{text!r}: {fault}")
    assert Path(CONFIG_FILE).exists()
