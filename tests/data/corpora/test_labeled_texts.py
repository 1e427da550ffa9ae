"""Labelled corpora: every form is read, the splits are whole, and a wrong line is told."""

import gzip

import numpy as np
import pytest
from labeled_texts import labeled_texts, write_csv, write_jsonl

from zoo.data.config import LabeledDataConfig
from zoo.data.corpora import find_corpus
from zoo.data.corpora.python_docs_topics import PART_OF_TOPIC, labeled_sentences
from zoo.data.examples import Labeled
from zoo.data.labeled_batching import LabeledBatches, encode_texts
from zoo.data.labels import labels_from_json, make_labels
from zoo.data.loading import load_labeled_corpus
from zoo.data.tables import Columns, read_table
from zoo.data.vocabulary import build_vocabulary, vocabulary_from_json
from zoo.errors import UserError
from zoo.special_tokens import END_ID

ROWS = labeled_texts(40)


def load(directory, corpus="table_file", **settings):
    config = LabeledDataConfig(corpus=corpus, directory=str(directory), **settings)
    return load_labeled_corpus(config)


def all_rows(corpus):
    return [
        (text, *labels)
        for split in corpus.splits.values()
        for text, labels in zip(split.texts, split.labels, strict=True)
    ]


@pytest.mark.parametrize("name", ["texts.csv", "texts.tsv", "texts.jsonl"])
def test_a_table_of_every_kind_is_read_and_split(tmp_path, name):
    path = tmp_path / name
    if path.suffix == ".jsonl":
        write_jsonl(path, ROWS)
    else:
        write_csv(path, ROWS, ("text", "label"))
    corpus = load(path)
    assert {split: len(part.texts) for split, part in corpus.splits.items()} == {
        "train": 32,
        "validation": 4,
        "test": 4,
    }
    assert sorted(all_rows(corpus)) == sorted(ROWS)
    assert not corpus.multiple
    assert all_rows(load(path)) == all_rows(corpus)
    fewer = load(path, validation_fraction=0.3, test_fraction=0.2)
    assert [len(part.texts) for part in fewer.splits.values()] == [20, 12, 8]


def test_a_directory_of_tables_and_a_changed_file(tmp_path):
    write_csv(tmp_path / "train.csv", ROWS[:20], ("text", "label"))
    (tmp_path / "test.jsonl.gz").write_bytes(
        gzip.compress(write_jsonl(tmp_path / "t", ROWS[20:30]).read_bytes())
    )
    corpus = load(tmp_path)
    assert [len(corpus.splits[split].texts) for split in ("train", "validation", "test")] == [
        18,
        2,
        10,
    ]
    write_csv(tmp_path / "dev.csv", ROWS[30:], ("text", "label"))
    corpus = load(tmp_path)
    assert list(corpus.splits["validation"].texts) == [text for text, _ in ROWS[30:]]
    assert list(corpus.splits["train"].texts) == [text for text, _ in ROWS[:20]]


def test_several_labels(tmp_path):
    rows = [("one", "a, b"), ("two", "b"), ("three", ""), ("four", "b,b,a")]
    path = write_csv(tmp_path / "texts.csv", rows, ("text", "label"))
    found = [labels for _, labels in read_table(path, Columns(separator=","))]
    assert found == [("a", "b"), ("b",), (), ("b", "a")]
    path = write_jsonl(tmp_path / "texts.jsonl", [("one", ["a", "b"]), ("two", [])] * 10)
    corpus = load(path, label_separator=",")
    assert corpus.multiple
    assert {row[1:] for row in all_rows(corpus)} == {("a", "b"), ()}


FORMS = {
    "trec": ("train.txt", "ENTY:animal What barks ?\n", ("What barks ?", "ENTY")),
    "trec_fine": ("train.txt", "ENTY:animal What barks ?\n", ("What barks ?", "ENTY:animal")),
    "sst2": ("stsa.binary.train", "1 so good\n", ("so good", "1")),
    "sst5": ("stsa.fine.train", "4 so good\n", ("so good", "4")),
    "imdb": ("train.tsv.gz", "1\t9\t5\tso<br />good\n", ("so good", "positive")),
    "goemotions": ("train.tsv", "so good\t0,2\tid\n", ("so good", "joy", "love")),
}


def write_form(directory, corpus, line, number=12):
    for name in find_corpus(corpus, Labeled).files.values():
        content = (line * number).encode()
        (directory / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    (directory / "labels.txt").write_text("joy\nfear\nlove\n")


@pytest.mark.parametrize("corpus", FORMS)
def test_every_published_form_is_read(tmp_path, corpus):
    _, line, wanted = FORMS[corpus]
    write_form(tmp_path, corpus, line)
    loaded = load(tmp_path, corpus)
    assert set(all_rows(loaded)) == {wanted}
    assert loaded.multiple == (corpus == "goemotions")


@pytest.mark.parametrize(
    ("corpus", "line", "message"),
    [
        ("trec", "What barks ?\n", "line 1: it starts with 'What'; use COARSE:fine QUESTION"),
        ("sst2", "good\n", "line 1: it starts with 'good'; use a digit and a sentence"),
        ("imdb", "7\t1\t1\tgood\n", "line 1: use 0 or 1, stars, id and text"),
        ("goemotions", "good\t3\tid\n", "line 1: use text, label numbers below 3 and id"),
    ],
)
def test_a_line_of_the_wrong_form_names_file_and_line(tmp_path, corpus, line, message):
    write_form(tmp_path, corpus, line)
    with pytest.raises(UserError) as caught:
        load(tmp_path, corpus)
    name = find_corpus(corpus, Labeled).files["train"]
    assert f"{tmp_path / name}, {message}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"corpus": "trek"}, "corpus 'trek' is none of goemotions, .* did you mean trec"),
        ({"corpus": "trec"}, "corpus trec needs train.txt, test.txt .* but no directory"),
        ({"corpus": "trec", "directory": "/nowhere"}, "/nowhere/train.txt is missing; put it"),
        ({"corpus": "table_file", "directory": "/nowhere"}, "/nowhere/train.csv is missing; put"),
        ({"corpus": "tfds:imdb_reviews"}, "there are 0 datasets under imdb_reviews"),
    ],
)
def test_a_corpus_that_is_not_there(settings, message):
    with pytest.raises(UserError, match=message):
        load_labeled_corpus(LabeledDataConfig(**settings))


@pytest.mark.parametrize(
    ("field", "value"),
    [("validation_fraction", 0.0), ("test_fraction", 0.5), ("max_tokens", -1), ("cut", "start")],
)
def test_a_bad_setting_of_the_data(field, value):
    with pytest.raises(UserError, match=f"data.{field} is {value!r}; use "):
        LabeledDataConfig(**{field: value})


def test_a_dataset_of_tfds_by_name(tmp_path):
    import tensorflow_datasets as tfds

    class Mood(tfds.core.GeneratorBasedBuilder):
        """Texts of two moods."""

        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            text, label = tfds.features.Text(), tfds.features.ClassLabel(names=["bad", "good"])
            features = tfds.features.FeaturesDict({"title": text, "body": text, "mood": label})
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples(40), "test": self._generate_examples(5)}

        def _generate_examples(self, count):
            for key in range(count):
                yield key, {"title": f"t{key}", "body": "b", "mood": ["bad", "good"][key % 2]}

    Mood(data_dir=tmp_path, file_format="array_record").download_and_prepare()
    settings = {"corpus": "tfds:mood", "text_column": "title, body", "label_column": "mood"}
    corpus = load(tmp_path, **settings)
    assert [len(part.texts) for part in corpus.splits.values()] == [36, 4, 5]
    for text, label in all_rows(corpus):
        assert label == ("good" if int(text.split()[0][1:]) % 2 else "bad")
        assert text.endswith(" b")
    with pytest.raises(UserError, match="has no feature label; it has body, mood, title"):
        load(tmp_path, **{**settings, "label_column": "label"})


def test_the_manual_s_sentences_are_labelled_by_their_topic():
    corpus = load_labeled_corpus(LabeledDataConfig())
    assert [len(part.texts) > 100 for part in corpus.splits.values()] == [True] * 3
    rows = all_rows(corpus)
    assert {label for _, label in rows} == set(PART_OF_TOPIC.values())
    assert len({text for text, _ in rows}) == len(rows)
    sentences = "It stands\nhere *twice*, you see. It is in one topic only."
    found = labeled_sentences({"if": sentences, "lists": sentences.split("see.")[0] + "see."})
    assert found == [("It is in one topic only.", "compound statements")]


def test_lower_case_words_come_back_from_a_checkpoint():
    vocabulary = build_vocabulary("lowercase_word", ["Don't STOP!", "It\u2019s 5_000 o'clock"])
    assert vocabulary.tokens[3:] == sorted(
        ["do", "n't", "stop", "!", "it", "'s", "5", "_", "000", "o", "'", "clock"]
    )
    again = vocabulary_from_json(vocabulary.to_json())
    assert again.encode("DO stop ?") == vocabulary.encode("do STOP x")
    assert type(again) is type(vocabulary)


def test_a_text_is_cut_and_ended():
    vocabulary = build_vocabulary("lowercase_word", ["a b c d"])
    rows = encode_texts(vocabulary, ["a b c d", "", "a"], max_tokens=2)
    assert [row.tolist() for row in rows] == [[3, 4, END_ID], [END_ID], [3, END_ID]]


def test_an_epoch_of_batches_has_every_text_once_with_its_labels():
    draw = np.random.default_rng(0)
    rows = [np.append(np.full(draw.integers(0, 20), 100 + n), END_ID) for n in range(24)]
    targets = np.eye(24)
    batches = LabeledBatches(rows, targets, batch_size=4, bucket_lengths=(8, 16), seed=3)
    seen = []
    for index in range(batches.batches_per_epoch):
        batch = batches.batch(1, index)
        for tokens, length, target in zip(*batch, strict=True):
            text = int(target.argmax())
            assert tokens[:length].tolist() == rows[text].tolist()
            assert (tokens[length:] == END_ID).all()
            seen.append(text)
    assert sorted(seen) == list(range(24))
    again = LabeledBatches(rows, targets, batch_size=4, bucket_lengths=(8, 16), seed=3)
    assert again.batch(1, 0).tokens.tolist() == batches.batch(1, 0).tokens.tolist()
    with pytest.raises(IndexError):
        batches.batch(0, 6)
    with pytest.raises(UserError, match=r"24 texts, too few for batch_size=25; use .*=24 or less"):
        LabeledBatches(rows, targets, batch_size=25, bucket_lengths=(8,), seed=0)
    with pytest.raises(UserError, match="batch_size is 0"):
        LabeledBatches(rows, targets, batch_size=0, bucket_lengths=(8,), seed=0)


def test_labels_come_back_from_a_checkpoint_and_damage_is_told():
    labels = make_labels([["b"], ["a", "b"], []], multiple=True)
    record = labels.to_json()
    assert labels_from_json(record) == labels
    for damaged in ({}, {**record, "counts": [1]}, {**record, "names": ["a", "a"]}, None):
        with pytest.raises(UserError, match="the labels are damaged"):
            labels_from_json(damaged)
    with pytest.raises(UserError, match="'c' does not occur in training; use one of a, b, or tr"):
        labels.encode([["c"]])
    with pytest.raises(UserError, match=r"have 1 different labels \(a\); a classifier needs two"):
        make_labels([["a"], ["a"]])
    for labels in (["a", "b"], []):
        with pytest.raises(
            UserError, match=f"a training text has {len(labels)} labels .*multiple="
        ):
            make_labels([["a"], labels])


def test_drawn_texts_with_a_label_that_training_lacks_stay_in_training(tmp_path):
    rows = [*labeled_texts(60), *((f"only {one}", f"rare {one}") for one in range(20))]
    path = write_csv(tmp_path / "t.csv", rows, ("text", "label"))
    corpus = load(path)
    known = {label for labels in corpus.splits["train"].labels for label in labels}
    assert {f"rare {one}" for one in range(20)} <= known
    for split in ("validation", "test"):
        assert 0 < len(corpus.splits[split].texts) < 8
        assert all(known.issuperset(labels) for labels in corpus.splits[split].labels)
    assert sorted(all_rows(corpus)) == sorted(rows)


def test_two_drawn_texts_with_the_same_label_give_training_one(tmp_path):
    rows = labeled_texts(10)
    write_csv(tmp_path / "train.csv", rows, ("text", "label"))
    plain = load(write_csv(tmp_path / "t.csv", rows, ("text", "label")), validation_fraction=0.4)
    drawn = {*plain.splits["validation"].texts, *plain.splits["test"].texts}
    changed = [(text, "odd" if text in drawn else label) for text, label in rows]
    corpus = load(
        write_csv(tmp_path / "c.csv", changed, ("text", "label")), validation_fraction=0.4
    )
    assert [len(part.texts) for part in corpus.splits.values()] == [6, 3, 1]


def test_a_table_whose_labels_occur_once_is_one_line(tmp_path):
    rows = [(f"text {one}", str(one / 7)) for one in range(40)]
    with pytest.raises(UserError, match=r"validation .* empty; the labels of the examples .* many"):
        load(write_csv(tmp_path / "t.csv", rows, ("text", "label")))


def test_a_label_that_a_text_has_twice_counts_once():
    labels = make_labels([["a"], ["b"]], multiple=True)
    assert labels.encode([["a", "a"], ["b"]]).tolist() == [[1, 0], [0, 1]]
