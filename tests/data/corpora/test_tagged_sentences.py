"""Corpora of tagged sentences, from files of our own: read, split, converted, and what is wrong."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from zoo.data import tag_schemes, token_lines
from zoo.data.config import TaggedDataConfig
from zoo.data.corpora import find_corpus
from zoo.data.examples import Tagged
from zoo.data.loading import TaggedCorpus, load_tagged_corpus, open_splits
from zoo.data.stored import Stored
from zoo.data.tag_schemes import spans
from zoo.errors import Note, UserError

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
SENTENCES = [
    (("Anna", "lives", "in", "New", "Ulm"), ("B-per", "O", "O", "B-loc", "I-loc")),
    (("Ulm", "Bonn"), ("B-loc", "B-loc")),
    (("nobody", "speaks"), ("O", "O")),
]


def write_columns(path: Path, sentences: list = SENTENCES, separator: str = "\t") -> Path:
    rows = (zip(words, tags, strict=True) for words, tags in sentences)
    blocks = ["".join(f"{word}{separator}{tag}\n" for word, tag in pairs) for pairs in rows]
    path.write_text("\n".join(blocks), encoding="utf-8")
    return path


def config(path: Path, corpus: str = "conll_file", **settings: object) -> TaggedDataConfig:
    return TaggedDataConfig(corpus, str(path), **settings)


def load(path: Path, corpus: str = "conll_file", **settings: object) -> TaggedCorpus:
    return load_tagged_corpus(config(path, corpus, **settings))


def read(path: Path, corpus: str = "conll_file", **settings: object) -> list[Tagged]:
    """The sentences of one file as they stand there."""
    splits = open_splits(find_corpus(corpus, Tagged), config(path, corpus, **settings))
    return list(splits["train"])


def told(path: Path, use: Callable, *arguments: str, **settings: object) -> str:
    """The error of a file, without the file's name."""
    with pytest.raises(UserError) as caught:
        use(path, *arguments, **settings)
    return str(caught.value).replace(str(path), "FILE")


def tagged(*rows: tuple[tuple[str, ...], tuple[str, ...]]) -> list[Tagged]:
    return [Tagged(*row) for row in rows]


@pytest.mark.parametrize("separator", ["\t", " ", "   "])
def test_columns_with_tabs_or_blanks(tmp_path: Path, separator: str) -> None:
    path = write_columns(tmp_path / "names.conll", separator=separator)
    assert read(path) == tagged(*SENTENCES)


def test_only_tabs_and_blanks_part_columns(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("10\xa0000 NUM\n\n\n\nNew Ulm\tPROPN\t\n\nso\u3000so ADV\n")
    told_columns = "FILE, line 5: it has 3 columns ('New Ulm\\tPROPN'), but the first line has 2; "
    assert told(path, read).startswith(told_columns)
    path.write_text("10\xa0000 NUM\n\n\n\nNew Ulm\tPROPN\n \t\nso\u3000so ADV\n")
    words = [("10\xa0000", "NUM"), ("New Ulm", "PROPN"), ("so\u3000so", "ADV")]
    assert read(path) == tagged(*(((word,), (tag,)) for word, tag in words))


def test_any_column_holds_the_word_or_the_tag(tmp_path: Path) -> None:
    path = tmp_path / "eng.train"
    path.write_text(
        "-DOCSTART- -X- O O\n\nAnna NNP I-NP I-PER\nsings VBZ I-VP O\n\n"
        "Ulm NNP I-NP I-LOC\n\n-DOCSTART- -X- O O\n\nnow RB I-ADVP O\n"
    )
    found = {column: read(tmp_path, tag_column=column) for column in ("2", "-3", "3", "", "4")}
    assert found["2"] == found["-3"]
    assert found["2"][0] == Tagged(("Anna", "sings"), ("NNP", "VBZ"))
    assert found["3"][0] == Tagged(("Anna", "sings"), ("I-NP", "I-VP"))
    assert found[""] == found["4"]
    assert found["4"][0] == Tagged(("Anna", "sings"), ("I-PER", "O"))
    assert read(tmp_path, word_column="2", tag_column="1")[0].tags == ("Anna", "sings")


def test_the_splits_of_a_directory(tmp_path: Path) -> None:
    for number, name in enumerate(("eng.train", "dev.tsv", "eng.testb")):
        write_columns(tmp_path / name, SENTENCES[number : number + 1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Note)
        splits = load(tmp_path).splits
    assert [list(part) for part in splits.values()] == [[Tagged(*one)] for one in SENTENCES]


def test_missing_splits_are_drawn_and_nothing_is_kept(tmp_path: Path) -> None:
    sentences = [((f"w{number}", "x"), ("B-a", "O")) for number in range(200)]
    path = write_columns(tmp_path / "many.conll", sentences)
    corpus = load(path, scheme="bioes")
    assert {split: len(part) for split, part in corpus.splits.items()} == {
        "train": 160,
        "validation": 20,
        "test": 20,
    }
    assert all(isinstance(part, Stored) for part in corpus.splits.values())
    assert sorted(one.tokens for part in corpus.splits.values() for one in part) == sorted(
        tokens for tokens, _ in sentences
    )
    assert corpus.splits["train"][7].tags == ("S-a", "O")
    assert [part[3] for part in load(path, scheme="bioes").splits.values()] == [
        part[3] for part in corpus.splits.values()
    ]


@pytest.mark.parametrize("written", ["iob1", "iob2", "bioes"])
def test_tags_are_converted_to_the_scheme_of_the_model(tmp_path: Path, written: str) -> None:
    converted = [(w, tag_schemes.convert(t, "iob2", written)) for w, t in SENTENCES]
    path = write_columns(tmp_path / "names.conll", converted * 4)
    for scheme in ("auto", "iob1", "iob2", "bioes"):
        corpus = load(path, scheme=scheme)
        wanted = scheme if scheme != "auto" else written.replace("iob1", "iob2")
        assert corpus.scheme == wanted
        tags = {one.tokens: one.tags for one in corpus.splits["train"]}
        for words, own in SENTENCES:
            assert tags[words] == tuple(tag_schemes.convert(own, "iob2", wanted))
    as_read = load(path, file_scheme="plain")
    assert as_read.scheme == "plain"
    assert {one.tokens: one.tags for one in as_read.splits["train"]} == {
        words: tuple(tags) for words, tags in converted
    }


def test_forbidden_tags_begin_a_span_and_one_note_counts_them(tmp_path: Path) -> None:
    broken = [(("in", "Ulm", "Bonn"), ("O", "I-loc", "B-loc")), *[(("x", "y"), ("B-a", "I-b"))] * 2]
    for name, sentences in (("train", broken), ("valid", broken[:1]), ("test", SENTENCES[:1])):
        write_columns(tmp_path / f"{name}.conll", sentences)
    with pytest.warns(Note) as noted:
        corpus = load(tmp_path, file_scheme="iob2")
    assert str(noted[0].message) == (
        "4 pairs of neighbouring tags of corpus conll_file (train 3, validation 1) are forbidden "
        "by the scheme iob2, such as an I- without a B- before it; a span begins at each such tag, "
        "as the CoNLL script counts"
    )
    assert noted[0].filename == __file__
    assert corpus.splits["train"][0].tags == ("O", "B-loc", "B-loc")
    assert corpus.splits["train"][1].tags == ("B-a", "B-b")
    assert corpus.splits["validation"][0].tags == ("O", "B-loc", "B-loc")


@pytest.mark.parametrize("scheme", ["auto", "bioes", "iob2"])
def test_bilou_is_bioes_with_other_letters(tmp_path: Path, scheme: str) -> None:
    written = [(w, tag_schemes.convert(t, "iob2", "bioes")) for w, t in SENTENCES * 4]
    bioes = write_columns(tmp_path / "bioes.conll", written)
    bilou = tmp_path / "bilou.conll"
    bilou.write_text(bioes.read_text().replace("\tE-", "\tL-").replace("\tS-", "\tU-"))
    assert bilou.read_text() != bioes.read_text()
    expected, found = load(bioes, scheme=scheme), load(bilou, scheme=scheme)
    assert found.scheme == expected.scheme
    for split in expected.splits:
        assert list(found.splits[split]) == list(expected.splits[split])


def test_one_strange_tag_is_named(tmp_path: Path) -> None:
    path = write_columns(tmp_path / "some.conll", SENTENCES * 20)
    path.write_text(path.read_text().replace("B-per", "B_per", 1))
    with pytest.warns(Note) as noted:
        assert load(path).scheme == "plain"
    assert "tags look like tags of spans, but not 'B_per' (1 time), so" in str(noted[0].message)
    assert noted[0].filename == __file__


def test_a_note_names_tags_that_training_lacks(tmp_path: Path) -> None:
    write_columns(tmp_path / "train.conll")
    write_columns(tmp_path / "valid.conll", [(("a", "b", "c"), ("B-per", "I-per", "O"))])
    test = [((letter, "z"), (f"B-{letter}", f"I-{letter}")) for letter in "bacdefg"]
    write_columns(tmp_path / "test.conll", test)
    with pytest.warns(Note) as noted:
        corpus = load(tmp_path)
    assert [str(one.message) for one in noted] == [
        "14 tags of split test of corpus conll_file do not occur in training (a, b, c, d, e and 2 "
        "more); a tagger never predicts them, so each counts as wrong"
    ]
    assert corpus.splits["test"][0].tags == ("B-b", "I-b")


def test_schemes_that_do_not_fit_are_told(tmp_path: Path) -> None:
    path = write_columns(tmp_path / "a.conll", [(("a", "dog"), ("DET", "NOUN"))] * 9)
    assert load(path).scheme == "plain"
    assert told(path, load, scheme="iob2") == (
        "data.scheme is 'iob2', but the tags of corpus conll_file mark no spans (DET, NOUN); use "
        "data.scheme=plain"
    )
    assert told(path, load, file_scheme="iob2") == (
        "the train split of corpus conll_file has a tag that does not fit its scheme: the tag is "
        "'DET'; tags of spans are O, B-LABEL and I-LABEL, such as B-person, and in the scheme "
        "bioes also E-LABEL and S-LABEL; if every word has a tag of its own, use "
        "data.file_scheme=plain"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scheme": "iob"}, "data.scheme is 'iob'; use one of auto, iob1, iob2, bioes, plain"),
        ({"file_scheme": "IOB2"}, "data.file_scheme is 'IOB2'; use one of auto, iob1, iob2, bio"),
        (
            {"vocabulary": "character"},
            "data.vocabulary is 'character', but the tokens of tagged sentences are given; use "
            '"word", and data.lowercase=true for words in lower case',
        ),
        ({"keep_word_vectors": True}, "data.keep_word_vectors is set without a file; use data"),
    ],
)
def test_settings_that_do_not_fit_are_told(settings: dict, message: str) -> None:
    with pytest.raises(UserError) as caught:
        TaggedDataConfig(**settings)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        (
            "a DT\n\ndog NN\n",
            {"tag_column": "4"},
            "FILE, line 1: there is no column 4 beside the word; it has 2 ('a DT'); use "
            "data.tag_column=NUMBER",
        ),
        (
            "a DT\n",
            {"word_column": "-3"},
            "FILE, line 1: there is no column -3 beside the word; it has 2 ('a DT'); use "
            "data.word_column=NUMBER",
        ),
        (
            "dog\n",
            {},
            "FILE, line 1: there is no column 1 beside the word; it has 1 ('dog'); use "
            "data.word_column=NUMBER",
        ),
        (
            "a DT\n\nNew Ulm NNP\n",
            {},
            "FILE, line 3: it has 3 columns ('New Ulm NNP'), but the first line has 2; write all "
            "lines with the same columns",
        ),
        ("a\tDT\n\tNN\n", {}, "FILE, line 2: its column 1 is empty; fill it"),
        ("a\tDT\nb\t\n", {}, "FILE, line 2: its column -1 is empty; fill it"),
        (
            "a DT\n",
            {"tag_column": "tag"},
            "data.tag_column is 'tag'; use the number of a column, such as 1 for the first or -1 "
            "for the last",
        ),
        (
            "a DT\n",
            {"word_column": "0"},
            "data.word_column is '0'; use the number of a column, such as 1 for the first or -1 "
            "for the last",
        ),
        (
            "a DT\n" * 1001,
            {},
            "FILE, line 1001: here a sentence has more than 1,000 words; put a blank line between "
            "sentences",
        ),
        (
            "-DOCSTART- O\n\n",
            {},
            "FILE, line 2: it has no sentences; put a word and its tag into each line",
        ),
        ("\n\n", {}, "FILE is empty; put the text into it"),
    ],
)
def test_what_is_wrong_with_columns(
    tmp_path: Path, text: str, settings: dict, message: str
) -> None:
    path = tmp_path / "broken.conll"
    path.write_text(text)
    assert told(path, read, **settings) == message


def test_comments_before_sentences_are_skipped_with_one_note(tmp_path: Path) -> None:
    path = tmp_path / "multi.conll"
    path.write_text(
        "# id 0 domain=en\n# a second\nNew _ _ B-loc\nUlm _ _ I-loc\n\n\n# id 1 domain=en\n"
        "go _ _ O\n# _ _ O\n\n# _ _ O\n1 _ _ O\n"
    )
    with pytest.warns(Note, match=r"^3 lines of .*multi.conll are skipped as comments, because"):
        found = read(path)
    assert [one.tokens for one in found] == [("New", "Ulm"), ("go", "#"), ("#", "1")]


@pytest.mark.parametrize("separator", ["\t", " "])
def test_a_number_sign_may_begin_a_sentence(tmp_path: Path, separator: str) -> None:
    sentences = [(("a", "b"), ("DT", "NN")), (("#", "1"), ("SYM", "CD"))]
    path = write_columns(tmp_path / "signs.conll", sentences, separator)
    assert read(path) == tagged(*sentences)


def test_a_file_without_blank_lines_is_one_sentence_and_told(tmp_path: Path) -> None:
    path = write_columns(tmp_path / "one.conll", SENTENCES)
    path.write_text(path.read_text().replace("\n\n", "\n"))
    assert told(path, load) == (
        "split validation of corpus conll_file is empty; the training split has too few "
        "examples (1); use more sentences, and put a blank line between them"
    )


def test_the_longest_sentence_is_read(tmp_path: Path) -> None:
    words = ("a",) * token_lines.MOST_WORDS
    path = write_columns(tmp_path / "long.conll", [(words, ("DT",) * len(words))])
    assert read(path)[0].tokens == words


CONLLU = """\
# sent_id = 1
1-2\tvom\t_\t_\t_\t_\t_\t_\t_\t_
1\tvon\tvon\tADP\tAPPR\t_\t3\tcase\t_\t_
2\tdem\tder\tDET\tART\tCase=Dat|Number=Sing\t3\tdet\t_\t_
2.1\tdas\tdas\tPRON\t_\t_\t_\t_\t_\t_
3\tHaus\tHaus\tNOUN\tNN\tCase=Dat|Number=Sing\t0\troot\t_\t_
3.1\tist\tsein\tAUX\t_\t_\t_\t_\t_\t_

# only a remark

1\tKatzen\tKatze\tNOUN\tNN\tNumber=Plur\t0\troot\t_\t_

1\tja\tja\tINTJ\tITJ\t_\t0\troot\t_\t_
"""


@pytest.mark.parametrize(
    ("column", "tags"),
    [
        ("", ("ADP", "DET", "NOUN")),
        ("upos", ("ADP", "DET", "NOUN")),
        ("xpos", ("APPR", "ART", "NN")),
        ("Number", ("_", "Sing", "Sing")),
    ],
)
def test_treebanks(tmp_path: Path, column: str, tags: tuple[str, ...]) -> None:
    path = tmp_path / "german.conllu"
    path.write_text(CONLLU)
    found = read(path, "conllu_file", tag_column=column)
    assert [one.tokens for one in found] == [("von", "dem", "Haus"), ("Katzen",), ("ja",)]
    assert found[0].tags == tags


def test_names_of_treebanks(tmp_path: Path) -> None:
    for name in ("en_atis-ud-train", "dev", "test"):
        (tmp_path / f"{name}.conllu").write_text(CONLLU)
    splits = load(tmp_path, "ud_atis").splits
    assert [len(part) for part in splits.values()] == [3, 3, 3]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 a a DET", "it has 1 columns ('1 a a DET'); CoNLL-U has 10 with tabs between"),
        ("x\ta\ta\tDET" + "\t_" * 6, "it begins with 'x'; use the number of a word"),
        (
            "1\ta\ta\tDET\t_\tSing\t0\troot\t_\t_",
            "its features are 'Sing'; use NAME=VALUE, with | between, or _",
        ),
    ],
)
def test_what_is_wrong_with_a_treebank(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "a.conllu"
    path.write_text(f"{CONLLU}\n{line}\n")
    found = told(path, read, "conllu_file", tag_column="Number")
    assert found == f"FILE, line {len(CONLLU.splitlines()) + 2}: {message}"


def test_the_last_of_several_tags_of_wnut17(tmp_path: Path) -> None:
    write_columns(tmp_path / "train.conll")
    write_columns(tmp_path / "valid.conll")
    write_columns(tmp_path / "test.conll", [(("Ulm", "x"), ("B-per,B-loc", "O"))])
    assert list(load(tmp_path, "wnut17").splits["test"]) == [Tagged(("Ulm", "x"), ("B-loc", "O"))]


def span(start: object, end: object, label: object = "loc") -> dict:
    return {"start": start, "end": end, "label": label}


def write_spans_file(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_spans_in_characters(tmp_path: Path) -> None:
    rows = [
        {"text": "To New Ulm, Bonn!", "spans": [span(12, 16), span(3, 10)], "id": 7},
        {"text": "Zo\u00eb \U0001f600 ran", "spans": [span(0, 3, " per ")]},
        {"text": "no names", "spans": []},
    ]
    path = write_spans_file(tmp_path / "a.jsonl", *rows)
    assert read(path, "spans_file") == tagged(
        (("To", "New", "Ulm", ",", "Bonn", "!"), ("O", "B-loc", "I-loc", "O", "B-loc", "O")),
        (("Zo\u00eb", "\U0001f600", "ran"), ("B-per", "O", "O")),
        (("no", "names"), ("O", "O")),
    )


def test_a_span_inside_a_word_parts_it_with_a_note(tmp_path: Path) -> None:
    text = {"text": "in mid-Ulm today", "spans": [span(7, 10)]}
    path = write_spans_file(tmp_path / "a.jsonl", text, text, {"text": "so", "spans": []})
    with pytest.warns(Note) as noted:
        found = read(path, "spans_file")
    assert found[0] == Tagged(("in", "mid-", "Ulm", "today"), ("O", "O", "B-loc", "O"))
    assert str(noted[0].message) == (
        f"2 words of {path} were split, because a span begins or ends inside them; the model will "
        "not split such words in new texts"
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": " ", "spans": []}, "the text ' ' has 0 words; give each text 1 to 1,000"),
        (
            {"text": "a " * 1001, "spans": []},
            "the text 'a a a a a a a a a a a a a a a a a a a a ' has 1,001 words; give each text 1 "
            "to 1,000",
        ),
        (
            {"text": "to Ulm", "spans": [span(3, 7)]},
            "the span from 3 to 7 (loc) does not lie in the text, which has 6 characters",
        ),
        (
            {"text": "to Ulm", "spans": [span(-3, 6)]},
            "the span from -3 to 6 (loc) does not lie in the text, which has 6 characters",
        ),
        (
            {"text": "to Ulm", "spans": [span(3, 3)]},
            "the span from 3 to 3 (loc) does not lie in the text, which has 6 characters",
        ),
        (
            {"text": "to New Ulm", "spans": [span(3, 10), span(0, 4, "a")]},
            "the span from 0 to 4 (a) and the span from 3 to 10 (loc) overlap; let each character "
            "be in one span at most",
        ),
        (
            {"text": "to  Ulm", "spans": [span(2, 4)]},
            "the span from 2 to 4 (loc) has no word: '  '",
        ),
        (
            {"text": "to Ulm", "spans": [span("3", 6)]},
            "a span is {'start': '3', 'end': 6, 'label': 'loc'}; use "
            '{"text": ..., "spans": [{"start": 0, "end": 3, "label": "place"}]}',
        ),
        (
            {"text": "to Ulm", "spans": [span(True, 6)]},
            "a span is {'start': True, 'end': 6, 'label': 'loc'}; use "
            '{"text": ..., "spans": [{"start": 0, "end": 3, "label": "place"}]}',
        ),
        (
            {"text": "to Ulm", "spans": [span(3, 6, " ")]},
            "a span is {'start': 3, 'end': 6, 'label': ' '}; use "
            '{"text": ..., "spans": [{"start": 0, "end": 3, "label": "place"}]}',
        ),
        (
            {"text": "to Ulm", "label": []},
            "its keys are 'text', 'label'; use "
            '{"text": ..., "spans": [{"start": 0, "end": 3, "label": "place"}]}',
        ),
        (
            {"text": "to\ud800 Ulm", "spans": []},
            r"the text has half a character, '\ud800' at 3; give Unicode text",
        ),
        ([1], "it is '[1]'; use one object per line"),
    ],
)
def test_what_is_wrong_with_spans(tmp_path: Path, row: object, message: str) -> None:
    path = write_spans_file(tmp_path / "a.jsonl", {"text": "fine", "spans": []}, row)
    assert told(path, read, "spans_file") == f"FILE, line 2: {message}"


def test_a_dataset_of_tfds_by_name(tmp_path: Path) -> None:
    import tensorflow_datasets as tfds

    class Cities(tfds.core.GeneratorBasedBuilder):
        """Sentences about cities."""

        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            text, names = tfds.features.Text(), ["O", "I-loc", "B-loc"]
            tags = tfds.features.Sequence(tfds.features.ClassLabel(names=names))
            features = {"tokens": tfds.features.Sequence(text), "ner": tags}
            features["pos"] = tfds.features.Sequence(text)
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features)
            )

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples(20), "test": self._generate_examples(5)}

        def _generate_examples(self, count):
            for key in range(count):
                words = ["in", f"Z\u00fcrich{key}"] if key else []
                yield (
                    key,
                    {"tokens": words, "ner": [0, 1][: len(words)], "pos": ["P", "N"][: len(words)]},
                )

    Cities(data_dir=tmp_path, file_format="array_record").download_and_prepare()
    corpus = load(tmp_path, "tfds:cities", tag_column="ner", scheme="bioes")
    assert [len(part) for part in corpus.splits.values()] == [17, 2, 4]
    for part in corpus.splits.values():
        for tokens, tags in part:
            assert tokens[1].startswith("Z\u00fcrich")
            assert tags == ("O", "S-loc")
    assert load(tmp_path, "tfds:cities", tag_column="pos").splits["test"][0].tags == ("P", "N")
    with pytest.raises(UserError, match="has no feature tags; it has ner, pos, tokens"):
        load(tmp_path, "tfds:cities")


def test_drawn_splits_are_the_same_for_every_scheme(tmp_path: Path) -> None:
    sentences = [((f"w{number}",), ("B-a",)) for number in range(50)]
    path = write_columns(tmp_path / "many.conll", sentences)
    words = [
        [[one.tokens for one in part] for part in load(path, scheme=scheme).splits.values()]
        for scheme in ("iob2", "bioes")
    ]
    assert words[0] == words[1]


@pytest.mark.skipif(not SHARED.exists(), reason="needs the corpora")
def test_published_corpora_have_the_counts_that_they_should() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Note)
        names = load(SHARED / "wnut17", "wnut17")
        words = load(SHARED / "ud_atis", "ud_atis")
    assert (names.scheme, words.scheme) == ("iob2", "plain")
    assert [len(part) for part in names.splits.values()] == [3394, 1009, 1287]
    found = [
        [span for one in part for span in spans(one.tags, "iob2")] for part in names.splits.values()
    ]
    assert [len(part) for part in found[:2]] == [1975, 836]
    assert {span.label for span in found[2]} == {
        "corporation", "creative-work", "group", "location", "person", "product"
    }  # fmt: skip
    assert [len(part) for part in words.splits.values()] == [4274, 572, 586]
    assert sum(len(one.tokens) for one in words.splits["test"]) == 6580
