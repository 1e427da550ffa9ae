"""The page docs/add_a_corpus.md: its corpora, from a temporary directory, do all that ours do."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from labeled_texts import classifier_config, labeled_texts
from pages import code_of
from train_process import run_train

import zoo
from zoo.__main__ import main
from zoo.data.config import DataConfig, LabeledDataConfig, ParallelDataConfig, TaggedDataConfig
from zoo.data.loading import (
    load_corpus,
    load_labeled_corpus,
    load_parallel_corpus,
    load_tagged_corpus,
)
from zoo.errors import UserError
from zoo.training.loop import train

SPAM, MENUS, WORDS = code_of("add_a_corpus.md")
LABELS = {"good": "ham", "bad": "spam"}
FEW = {"training.num_steps": 4, "evaluation.every_steps": 4, "model.hidden_sizes": (4,)}


@pytest.fixture(scope="module")
def config_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's code as a file, far away from the package."""
    path = tmp_path_factory.mktemp("user") / "sms_spam.py"
    path.write_text(SPAM + MENUS + WORDS, encoding="utf-8")
    return path


@pytest.fixture
def page(config_file: Path) -> ModuleType:
    """The file imported."""
    return import_file(config_file)


def import_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Forty messages, as the corpus has them."""
    lines = [f"{LABELS[label]}\t{text}\n" for text, label in labeled_texts(40)]
    (tmp_path / "SMSSpamCollection").write_text("".join(lines), encoding="utf-8")
    return tmp_path


def load_spam(directory: Path) -> list[tuple[str, tuple[str, ...]]]:
    cache = str(directory / "cache")
    splits = load_labeled_corpus(LabeledDataConfig("sms_spam", str(directory), cache)).splits
    assert [len(part.texts) for part in splits.values()] == [32, 4, 4]
    return [row for part in splits.values() for row in zip(*part, strict=True)]


def test_a_labelled_corpus_trains_and_is_measured(page: ModuleType, directory: Path) -> None:
    wanted = [(text, (LABELS[label],)) for text, label in labeled_texts(40)]
    assert sorted(load_spam(directory)) == sorted(wanted)
    config = classifier_config(directory, **FEW)
    config.data.corpus = page.get_config().data.corpus
    train(config, str(directory / "run"))
    assert main(["evaluate", str(directory / "run"), f"--data_directory={directory}"]) == 0


def test_train_py_takes_the_file_and_evaluate_says_what_to_register(
    config_file: Path, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = directory / "run"
    flags = {
        **FEW,
        "data.directory": directory,
        "data.batch_size": 8,
        "data.cache_directory": directory / "cache",
    }
    settings = [f"--config.{name}={value}" for name, value in flags.items()]
    code, lines, errors = run_train(f"--config={config_file}", *settings, f"--workdir={run}")
    assert code == 0, errors
    assert any(line.startswith("best step") for line in lines)
    assert zoo.classify(zoo.load(run), ["good"])  # what a classifier needs is all there
    assert main(["evaluate", str(run), f"--data_directory={directory}"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: corpus 'sms_spam' is none of goemotions, imdb, ")
    assert line.endswith("must be registered first: zoo.register_corpus('sms_spam', ...)")
    assert "sms_spam" not in sys.modules


def test_what_is_wrong_with_a_line_is_told_with_its_place(
    page: ModuleType, directory: Path
) -> None:
    path = directory / "SMSSpamCollection"
    path.write_text("ham\tgood\n\nhello\n")
    with pytest.raises(UserError) as caught:
        load_spam(directory)
    told = "it starts with 'hello'; use ham or spam, a tab and a text"
    assert str(caught.value) == f"{path}, line 3: {told}"
    path.unlink()
    with pytest.raises(UserError) as caught:
        load_spam(directory)
    assert str(caught.value) == (
        f"{path} is missing; put it there, or use data.directory=DIR with "
        "SMSSpamCollection (SMS Spam Collection of Almeida et al. 2011)"
    )


def test_a_changed_function_and_another_version_are_read_again(directory: Path) -> None:
    def register(label: str, **settings: str) -> list[str]:
        path = directory / f"{label}.py"
        path.write_text(SPAM.replace("(label,)", f'("{label}" + AT_END,)') + "\nAT_END = ''\n")
        module = import_file(path)
        module.AT_END = settings.get("version", "")
        corpus = {"gives": zoo.Labeled, "files": {"whole": "SMSSpamCollection"}}
        zoo.register_corpus("sms_spam", **corpus, **settings)(module.sms_spam)
        return sorted({labels[0] for _, labels in load_spam(directory)})

    assert register("one") == ["one"]
    assert register("two") == ["two"]
    assert register("two", version="3") == ["two3"]


def test_the_words_of_a_corpus_without_files(page: ModuleType) -> None:
    found = load_corpus(DataConfig("fibonacci_words"))
    assert {split: len(lines) for split, lines in found.items()} == {
        "train": 16,
        "validation": 1,
        "test": 1,
    }
    assert found["train"][0] == "abaababa"
    with pytest.raises(UserError, match=r"reads no files; leave data\.directory=/tmp out"):
        load_corpus(DataConfig("fibonacci_words", "/tmp"))


def test_pairs_of_two_files_and_fields_of_the_config(tmp_path: Path) -> None:
    @zoo.register_corpus(
        "proverbs",
        gives=zoo.Pair,
        files={"train": "proverbs"},
        languages=("source_language", "target_language"),
    )
    def proverbs(lines, *, lowercase):
        for source, target in lines:
            yield zoo.Pair(source, f"{target} {lowercase}")

    for language in ("de", "en"):
        text = "".join(f"{language} {number}\n" for number in range(40))
        (tmp_path / f"proverbs.{language}").write_text(text)
    splits = load_parallel_corpus(ParallelDataConfig("proverbs", str(tmp_path)))
    assert [len(part.sources) for part in splits.values()] == [36, 2, 2]
    assert splits["train"].sources[0] == "de 0"
    assert splits["train"].targets[0] == "en 0 False"


def test_tagged_sentences_of_lines(page: ModuleType, tmp_path: Path) -> None:
    dish = "hot|I-dish\nsoup|I-dish\nwith|O\nbread|I-dish\n\n"
    (tmp_path / "menus.txt").write_text(dish * 10)
    config = TaggedDataConfig("menus", str(tmp_path), str(tmp_path / "cache"), scheme="bioes")
    corpus = load_tagged_corpus(config)
    assert corpus.scheme == "bioes"
    assert [len(part) for part in corpus.splits.values()] == [8, 1, 1]
    for part in corpus.splits.values():
        tagged = zoo.Tagged(("hot", "soup", "with", "bread"), ("B-dish", "E-dish", "O", "S-dish"))
        assert set(part) == {tagged}


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("trec", {}, "cannot be registered as 'trec'; use letters, digits and underscores, and a"),
        ("my corpus", {}, "cannot be registered as 'my corpus'; use letters, digits and undersc"),
        (
            "mine",
            {"gives": int},
            "corpus mine gives <class 'int'>; use one of str, Labeled, Pair, T",
        ),
        ("mine", {"files": {"train": "a"}}, "name files for train, validation, test, or one file"),
        (
            "mine",
            {"files": {"test": "a"}, "gives": zoo.Labeled},
            "corpus mine has files for test; name files for train, or one file for whole",
        ),
    ],
)
def test_what_is_no_corpus_is_refused(name: str, settings: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        zoo.register_corpus(name, **settings)(list)


@pytest.mark.parametrize(
    ("gives", "given", "message"),
    [
        (str, 3, "it gives 3, which is no str; see gives of the corpus"),
        (str, "a\nb", r"it gives a line with a newline, 'a\nb'; give two lines"),
        (zoo.Labeled, "a", "it gives 'a', which is no Labeled; see gives of the corpus"),
        (zoo.Labeled, zoo.Labeled("a", "b"), "its labels are 'b'; use a tuple, such as ('b',)"),
        (
            zoo.Tagged,
            ("a", "b"),
            "it gives ('a', 'b'), which is no Tagged; see gives of the corpus",
        ),
        (
            zoo.Tagged,
            zoo.Tagged((), ()),
            "it gives a sentence without words; leave the sentence out",
        ),
        (zoo.Tagged, zoo.Tagged("ab", "cd"), "its tokens are 'ab'; use a tuple of texts"),
        (zoo.Tagged, zoo.Tagged(("a",), (1,)), "its tags are (1,); use a tuple of texts"),
        (zoo.Tagged, zoo.Tagged(("a", ""), ("b", "c")), "its tokens are ('a', ''), of which one i"),
        (
            zoo.Tagged,
            zoo.Tagged(("a", "dog"), ("DET",)),
            "it gives 2 tokens with 1 tags, 'a dog'; give each token one tag",
        ),
    ],
)
def test_what_is_no_example_is_told(
    tmp_path: Path, gives: type, given: object, message: str
) -> None:
    splits = dict.fromkeys(("train", "validation", "test"), "lines.txt")

    @zoo.register_corpus("mine", gives=gives, files=splits)
    def mine(lines):
        for _ in lines:
            yield given

    @zoo.register_corpus("made", gives=gives)
    def made():
        return {split: [given] for split in splits}

    (tmp_path / "lines.txt").write_text("one\n")
    load, record = {
        str: (load_corpus, DataConfig),
        zoo.Labeled: (load_labeled_corpus, LabeledDataConfig),
        zoo.Tagged: (load_tagged_corpus, TaggedDataConfig),
    }[gives]
    for name, directory, place in (
        ("mine", str(tmp_path), f"{tmp_path}/lines.txt, line 1"),
        ("made", "", "split train"),
    ):
        with pytest.raises(UserError) as caught:
            load(record(name, directory, str(tmp_path / "cache")))
        assert str(caught.value).startswith(f"{place}: {message}")


@pytest.mark.parametrize(
    ("column", "told"), [(4, "IndexError: list index out of range"), (1, "could not convert strin")]
)
def test_an_error_of_the_function_names_the_line(tmp_path: Path, column: int, told: str) -> None:
    @zoo.register_corpus("mine", gives=zoo.Labeled, files={"whole": "lines.txt"})
    def mine(lines):
        for line in lines:
            yield zoo.Labeled(line, (str(float(line.split()[column])),))

    (tmp_path / "lines.txt").write_text("one two\n")
    with pytest.raises(UserError, match=f"{tmp_path}/lines.txt, line 1: {told}"):
        load_labeled_corpus(LabeledDataConfig("mine", str(tmp_path), str(tmp_path / "cache")))


@pytest.mark.parametrize("returned", [iter("ab"), {"train": ["a"]}])
def test_a_corpus_without_files_must_return_its_splits(returned: object) -> None:
    zoo.register_corpus("made")(lambda: returned)
    with pytest.raises(UserError, match="a dictionary with the examples of train, validation, tes"):
        load_corpus(DataConfig("made"))
