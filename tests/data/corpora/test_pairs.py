"""Parallel corpora: every form is read in both directions, and a wrong file is told in one line."""

import dataclasses
import gzip
from pathlib import Path

import numpy as np
import pytest

from zoo.data import toy_german
from zoo.data.config import ParallelDataConfig
from zoo.data.labeled_batching import encode_texts
from zoo.data.loading import load_parallel_corpus
from zoo.data.parallel_batching import ParallelBatches, keep_short
from zoo.data.splits import SPLITS
from zoo.data.vocabulary import build_vocabulary
from zoo.errors import UserError
from zoo.special_tokens import END_ID, START_ID

SHARED = Path(__file__).parents[4] / "shared" / "data"
PAIRS = [(f"Satz {n} .", f"sentence number {n} .") for n in range(40)]


@pytest.fixture(autouse=True)
def small_toys(monkeypatch):
    sizes = {"train": 60, "validation": 8, "test": 7}
    monkeypatch.setattr(toy_german, "SPLIT_SIZES", sizes)


def load(directory, corpus="parallel_text", **settings):
    config = ParallelDataConfig(corpus=corpus, directory=str(directory), **settings)
    return load_parallel_corpus(config)


def write_texts(directory, stem, pairs=PAIRS):
    for language, texts in zip(("de", "en"), zip(*pairs, strict=True), strict=True):
        (directory / f"{stem}.{language}").write_text("\n".join(texts) + "\n")


def write_table(path, pairs=PAIRS):
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs))
    return path


def rows(corpus, split=None):
    splits = [split] if split else SPLITS
    return [pair for s in splits for pair in zip(*corpus[s][:2], strict=True)]


def sizes(corpus):
    return [len(corpus[split].sources) for split in SPLITS]


def test_a_directory_of_texts_in_both_directions(tmp_path):
    write_texts(tmp_path, "train", PAIRS[:30])
    write_texts(tmp_path, "dev", PAIRS[30:34])
    write_texts(tmp_path, "test", PAIRS[34:])
    corpus = load(tmp_path)
    assert rows(corpus) == PAIRS
    assert sizes(corpus) == [30, 4, 6]
    assert list(corpus["train"].alignments) == [()] * 30
    turned = load(tmp_path, source_language="en", target_language="de")
    assert rows(turned) == [(target, source) for source, target in PAIRS]


def test_missing_splits_are_parts_of_the_training_split(tmp_path):
    write_texts(tmp_path, "train")
    corpus = load(tmp_path)
    assert sizes(corpus) == [36, 2, 2]
    assert sorted(rows(corpus)) == sorted(PAIRS)
    assert rows(load(tmp_path)) == rows(corpus)
    assert sizes(load(tmp_path, validation_fraction=0.2, test_fraction=0.1)) == [28, 8, 4]
    write_texts(tmp_path, "test", PAIRS[:3])
    assert sizes(load(tmp_path)) == [38, 2, 3]


def test_a_table_is_split_by_its_different_sources(tmp_path):
    pairs = [(f"Satz {n // 3}", f"sentence {n}") for n in range(90)]
    path = write_table(tmp_path / "all.tsv", pairs)
    corpus = load(path, validation_fraction=0.2, test_fraction=0.2)
    assert sizes(corpus) == [54, 18, 18]
    assert sorted(rows(corpus)) == sorted(pairs)
    parts = [set(corpus[split].sources) for split in SPLITS]
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]


def test_pairs_of_one_source_cannot_be_split(tmp_path):
    path = write_table(tmp_path / "all.tsv", [("Satz", f"sentence {n}") for n in range(60)])
    with pytest.raises(UserError, match=r"source of the 60 training examples has too few .* \(1\)"):
        load(path)


def test_pairs_may_be_packed(tmp_path):
    write_texts(tmp_path, "train")
    table = write_table(tmp_path / "all.de-en.tsv")
    expected = load(tmp_path), load(table)
    for path in tmp_path.glob("*.*"):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    packed = load(tmp_path), load(tmp_path / "all.de-en.tsv.gz")
    assert [rows(corpus) for corpus in packed] == [rows(corpus) for corpus in expected]


def test_the_name_of_a_table_may_tell_its_languages(tmp_path):
    turned = [(target, source) for source, target in PAIRS]
    path = write_table(tmp_path / "all.en-de.tsv", turned)
    assert sorted(rows(load(path))) == sorted(PAIRS)
    english = load(path, source_language="en", target_language="de")
    assert sorted(rows(english)) == sorted(turned)
    with pytest.raises(UserError, match=r"languages en and de by its name, not fr and de; use "):
        load(path, source_language="fr", target_language="de")


def test_empty_pairs_line_ends_and_case(tmp_path):
    (tmp_path / "train.de").write_bytes("\ufeffEins \r\n\nZwei\u2028Drei\r\nVier\n".encode())
    (tmp_path / "train.en").write_bytes(b"One\n\nTwo three\nFour\n")
    for stem in ("valid", "test"):
        write_texts(tmp_path, stem)
    wanted = [("Eins", "One"), ("Zwei\u2028Drei", "Two three"), ("Vier", "Four")]
    assert rows(load(tmp_path), "train") == wanted
    lower = load(tmp_path, lowercase=True)
    assert rows(lower, "train") == [(a.lower(), b.lower()) for a, b in wanted]


def test_a_changed_file_is_read_again(tmp_path):
    path = write_table(tmp_path / "all.tsv")
    load(path)
    changed = [*PAIRS[1:], ("neu", "new")]
    write_table(path, changed)
    assert sorted(rows(load(path))) == sorted(changed)


def test_multi30k_has_its_own_names(tmp_path):
    for stem, pairs in (("train", PAIRS[:20]), ("val", PAIRS[20:25])):
        write_texts(tmp_path, stem, pairs)
    missing = tmp_path / "test_2016_flickr.de"
    with pytest.raises(UserError) as caught:
        load(tmp_path, "multi30k")
    assert str(caught.value).startswith(
        f"{missing} is missing; put it there, or use data.directory=DIR"
    )
    assert "github.com/multi30k/dataset" in str(caught.value)
    write_texts(tmp_path, "test_2016_flickr", PAIRS[25:])
    assert sizes(load(tmp_path, "multi30k")) == [20, 5, 15]


@pytest.mark.parametrize(
    ("german", "english", "message"),
    [
        (b"a\nb\n", b"a\n", "train.de has 2 lines but {d}/train.en has 1; line k of one"),
        (b"a\n\n", b"a\nb\n", "train.de, line 2: the source is empty, its translation is 'b'"),
        (b"a\nb\nc", b"a\n \nc", "train.en, line 2: the target is empty, its translation is 'b'"),
        (b"a\xff\n", b"a\n", "train.de is not UTF-8: byte 0xff at offset 1"),
        (b"\n", b"a\n", "train.de is empty"),
        (b"a\n", None, "train.en is missing; put it there, or use data.directory=DIR"),
        (None, None, "train.de is missing; put it there"),
        (b"a\nb\n", b"a\nb\n", "split validation of corpus parallel_text is empty"),
    ],
)
def test_wrong_texts_are_one_line_that_says_where(tmp_path, german, english, message):
    for language, content in (("de", german), ("en", english)):
        if content is not None:
            (tmp_path / f"train.{language}").write_bytes(content)
    with pytest.raises(UserError) as caught:
        load(tmp_path)
    assert message.format(d=tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", "a\tb\nc\n", "a.tsv, line 2: it has 0 tabs; use SOURCE tab TARGET"),
        ("a.tsv", "a\tb\n\nc\td\te\n", "a.tsv, line 3: it has 2 tabs; use SOURCE tab TARGET"),
        ("a.tsv", "a\tb\nc\t \n", "a.tsv, line 2: the target is empty, its translation is 'c'"),
        ("a.txt", "a\tb\n", "a.txt ends with '.txt'; use a .tsv file, or a directory"),
    ],
)
def test_a_wrong_table_is_one_line_that_says_where(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError) as caught:
        load(tmp_path / name)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"corpus": "multi30"}, "corpus 'multi30' is none of .*; did you mean multi30k"),
        ({"corpus": "multi30k"}, "needs train.de, train.en, val.de, .* but no directory was given"),
        ({"corpus": "parallel_text", "directory": "/no/a.tsv"}, "/no/a.tsv is missing"),
        ({"corpus": "toy_verb_final"}, "is in en and sov, not de and en; use .*language=en "),
        ({"corpus": "tfds:wmt"}, "there are 0 datasets under wmt"),
    ],
)
def test_a_corpus_that_is_not_there(settings, message):
    with pytest.raises(UserError, match=message):
        load_parallel_corpus(ParallelDataConfig(**settings))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("validation_fraction", 0.0, "data.validation_fraction is 0.0; use between"),
        ("test_fraction", 0.5, "data.test_fraction is 0.5; use between"),
        ("vocabulary_size", -1, "data.vocabulary_size is -1; use 0 for no limit"),
        ("max_tokens", -1, "data.max_tokens is -1; use 0 for no limit"),
        ("min_count", 0, "data.min_count is 0; use at least 1"),
        ("batch_size", 0, "data.batch_size is 0; use at least 1"),
        ("target_language", "de", "are 'de'; use two languages"),
    ],
)
def test_a_bad_setting_of_the_data(field, value, message):
    with pytest.raises(UserError, match=message):
        ParallelDataConfig(**{field: value})


@pytest.mark.parametrize(
    ("corpus", "languages"),
    [
        ("toy_german", ("de", "en")),
        ("toy_verb_initial", ("en", "vso")),
        ("toy_verb_final", ("en", "sov")),
    ],
)
def test_toy_corpora_keep_their_alignments_in_both_directions(corpus, languages):
    first, second = languages
    config = ParallelDataConfig(corpus, source_language=first, target_language=second)
    texts = load_parallel_corpus(config)
    assert sizes(texts) == [60, 8, 7]
    made = toy_german.generate_splits(corpus.removeprefix("toy_"))
    for split in SPLITS:
        assert list(zip(*texts[split], strict=True)) == [tuple(pair) for pair in made[split]]
    config = dataclasses.replace(config, source_language=second, target_language=first)
    turned = load_parallel_corpus(config)["test"]
    assert list(turned.sources) == list(texts["test"].targets)
    assert list(turned.targets) == list(texts["test"].sources)
    for there, back in zip(texts["test"].alignments, turned.alignments, strict=True):
        assert list(back) == sorted((j, i) for i, j in there)


@pytest.mark.parametrize("nested", [False, True])
def test_a_dataset_of_tfds_by_name(tmp_path, nested):
    import tensorflow_datasets as tfds

    class Proverbs(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        """Pairs of sentences."""

        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = tfds.features.Translation(languages=("de", "en"))
            if nested:
                features = tfds.features.FeaturesDict({"translation": features})
            return tfds.core.DatasetInfo(builder=self, features=features, disable_shuffling=True)

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples(PAIRS), "test": self._generate_examples(PAIRS)}

        def _generate_examples(self, pairs):
            for key, (source, target) in enumerate([*pairs, ("", "only English")]):
                row = {"de": source, "en": target}
                yield key, {"translation": row} if nested else row

    Proverbs(data_dir=tmp_path, file_format="array_record").download_and_prepare()
    corpus = load(tmp_path, "tfds:proverbs")
    assert rows(corpus, "test") == PAIRS
    assert sizes(corpus) == [38, 2, 40]
    turned = load(tmp_path, "tfds:proverbs", source_language="en", target_language="de")
    assert rows(turned, "test") == [(target, source) for source, target in PAIRS]
    with pytest.raises(UserError, match=r"no language fr; it has de, en, .*source_language=NAME"):
        load(tmp_path, "tfds:proverbs", source_language="fr")


def random_rows(count, longest=20):
    draw = np.random.default_rng(0)
    return [
        [np.append(np.full(draw.integers(0, longest), 100 + n), END_ID) for n in range(count)]
        for _ in range(2)
    ]


def test_an_epoch_of_batches_has_every_pair_once():
    sources, targets = random_rows(24)
    batches = ParallelBatches(sources, targets, batch_size=4, bucket_lengths=(8, 16), seed=3)
    seen = []
    for index in range(batches.batches_per_epoch):
        batch = batches.batch(1, index)
        assert batch.sources.shape == batch.targets.shape == batch.inputs.shape
        assert batch.sources.shape[1] in (8, 16, 32)
        assert {array.dtype for array in batch} == {np.dtype(np.int32)}
        for source, source_length, read, target, length in zip(*batch, strict=True):
            [pair] = [
                n
                for n in range(24)
                if source[:source_length].tolist() == sources[n].tolist()
                and target[:length].tolist() == targets[n].tolist()
            ]
            assert read[:length].tolist() == [START_ID, *targets[pair][:-1]]
            assert (source[source_length:] == END_ID).all()
            assert (target[length:] == END_ID).all()
            assert (read[length:] == END_ID).all()
            seen.append(pair)
    assert sorted(seen) == list(range(24))
    again = ParallelBatches(sources, targets, batch_size=4, bucket_lengths=(8, 16), seed=3)
    again.batch(0, 0)
    assert again.batch(1, 2).sources.tolist() == batches.batch(1, 2).sources.tolist()


def test_the_longer_side_decides_the_bucket():
    short, long = np.array([5, END_ID]), np.array([5] * 11 + [END_ID])
    for sources, targets in (([short], [long]), ([long], [short]), ([short], [short])):
        batches = ParallelBatches(sources, targets, batch_size=1, bucket_lengths=(4, 12), seed=0)
        longest = max(len(sources[0]), len(targets[0]))
        assert batches.batch(0, 0).sources.shape == (1, 12 if longest > 4 else 4)


def test_batches_that_cannot_be_made():
    sources, targets = random_rows(24)
    with pytest.raises(UserError, match=r"24 pairs, too few for batch_size=25; use .*=24 or less"):
        ParallelBatches(sources, targets, batch_size=25, bucket_lengths=(8,), seed=0)
    with pytest.raises(UserError, match="batch_size is 0"):
        ParallelBatches(sources, targets, batch_size=0, bucket_lengths=(8,), seed=0)
    with pytest.raises(IndexError):
        ParallelBatches(sources, targets, batch_size=4, bucket_lengths=(8,), seed=0).batch(0, 6)


def test_pairs_with_a_longer_side_are_left_out():
    vocabulary = build_vocabulary("word", ["a b c"])
    sources = encode_texts(vocabulary, ["a", "a b", "a b c", "a"])
    targets = encode_texts(vocabulary, ["a", "a b", "a", "a b c"])
    kept = keep_short(sources, targets, 2)
    assert [[row.tolist() for row in side] for side in kept] == [[[3, 2], [3, 4, 2]]] * 2
    assert len(keep_short(sources, targets, 0)[0]) == 4
    with pytest.raises(UserError, match="no training pair has at most 1 tokens on each side; use"):
        keep_short(sources[1:], targets[1:], 1)


@pytest.mark.skipif(not (SHARED / "tatoeba_de_en").exists(), reason="needs the Tatoeba sample")
def test_the_tatoeba_sample_is_split_by_its_english_sentence():
    corpus = load(SHARED / "tatoeba_de_en" / "sample_12000.tsv")
    parts = [set(corpus[split].sources) for split in SPLITS]
    assert sum(sizes(corpus)) == 12_000
    assert len(set.union(*parts)) == sum(map(len, parts))
    [german] = [target for source, target in rows(corpus) if source == "Are ghosts real?"]
    assert german == "Sind Geister real?"


@pytest.mark.skipif(not (SHARED / "multi30k").exists(), reason="needs the Multi30k files")
def test_multi30k_has_its_published_sizes():
    corpus = load(SHARED / "multi30k", "multi30k")
    assert sizes(corpus) == [29_000, 1_014, 1_000]
    german, english = corpus["train"].sources[2], corpus["train"].targets[2]
    assert german.startswith("Ein kleines Mädchen klettert")
    assert english == "A little girl climbing into a wooden playhouse."
