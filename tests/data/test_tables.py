"""Tables: every way to write one is read, and whatever is wrong is one line that says where."""

import codecs
import csv
import gzip
import json
import time

import pytest
from labeled_texts import labeled_texts, write_csv, write_jsonl

from zoo.data.config import LabeledDataConfig
from zoo.data.loading import load_labeled_corpus
from zoo.data.tables import Columns, read_table
from zoo.errors import UserError

LABEL, TEXT = "data.label_column=NAME", "data.text_column=NAME"
SKIP = "data.skip_unlabeled=true"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))


def read(tmp_path, name, content, columns=None):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [(text, *labels) for text, labels in read_table(path, columns or Columns())]


def error(tmp_path, name, content, columns=None):
    with pytest.raises(UserError) as caught:
        read(tmp_path, name, content, columns)
    message = str(caught.value)
    assert "\n" not in message
    message.encode()  # or it could not be printed
    return message


# What is read


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", ", "])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_csv_however_it_is_written(tmp_path, end, delimiter, encoding):
    rows = [["id", "text", "label"], ["1", '"né, ""x""; y\tz"', "a"], ["2", "red", "b"]]
    content = "".join(delimiter.join(row) + end for row in rows)
    found = read(tmp_path, "t.csv", content.encode(encoding))
    assert found == [('né, "x"; y\tz', "a"), ("red", "b")]


def test_the_delimiter_is_that_of_the_wanted_columns(tmp_path):
    content = "a,b,c,d,e;text;label\n1;red, blue;x\n"
    assert read(tmp_path, "t.csv", content) == [("red, blue", "x")]
    content = "a;b;c;d;e,text,label\n1,red; blue,x\n"
    assert read(tmp_path, "t.csv", content) == [("red; blue", "x")]


def test_quotes_newlines_and_named_columns_of_a_csv(tmp_path):
    rows = [('a "quoted", text\nof two lines', "x"), ("b", "y")] * 10
    path = write_csv(tmp_path / "texts.csv", rows, ("comment", "mark"))
    found = read_table(path, Columns("comment", "mark"))
    assert [(text, *labels) for text, labels in found] == rows


def test_several_columns_of_text_and_blank_lines(tmp_path):
    content = "\n title ,body,label\n\none,two,x\n  \n"
    assert read(tmp_path, "t.csv", content, Columns("title, body")) == [("one two", "x")]


def test_a_tsv_has_no_quotes(tmp_path):
    content = 'text\t label\n"red, blue; x\ta\n'
    assert read(tmp_path, "t.tsv", content) == [('"red, blue; x', "a")]


def test_a_long_field(tmp_path):
    before = csv.field_size_limit(131_072)
    try:
        for name, delimiter in (("t.csv", ","), ("t.tsv", "\t")):
            content = f"text{delimiter}label\n{'x ' * 70_000}{delimiter}a\n"
            assert read(tmp_path, name, content) == [("x " * 70_000, "a")]
        assert csv.field_size_limit() > 131_072
    finally:
        csv.field_size_limit(before)


def test_values_of_jsonl(tmp_path):
    content = '{"text": 5, "label": 1}\n\n{"text": "\\ud83d\\ude00", "label": 2, "more": [null]}\n'
    assert read(tmp_path, "t.jsonl", content) == [("5", "1"), ("\U0001f600", "2")]


def test_several_labels_of_jsonl_may_be_a_list_or_separated(tmp_path):
    content = '{"text": "a", "label": "x, y,x"}\n{"text": "b", "label": ["y", "x,z"]}\n'
    found = read(tmp_path, "t.jsonl", content, Columns(separator=","))
    assert found == [("a", "x", "y"), ("b", "y", "x,z")]


# What is wrong

LINES = b"text,label\na,b\n"
PACKED = gzip.compress(LINES, mtime=0)


def row(text, label):
    """A line of JSON."""
    return f'{{"text": {text}, "label": {label}}}\n'


CSV_ERRORS = [
    ("text,mark\na,b\n", "t.csv, line 1: the header has no column 'label'; it has 'text', 'mark'"),
    ("words,label\na,b\n", f"no column 'text'; it has 'words', 'label'; use {TEXT}, or put"),
    (
        "Satz,Art\na,b\n",
        f"no columns 'text', 'label'; it has 'Satz', 'Art'; use {TEXT} {LABEL}, or",
    ),
    ("good film,a\nbad,b\n", "or put a line with the names first if the file has none"),
    ("text,text,label\na,b,c\n", "line 1: several columns are called 'text'; rename"),
    ("text,label\n", "t.csv has a header but no rows; put labelled texts under"),
    ("text,label\na,b\nc\n", "line 3: the row has 1 fields, but the header has 2"),
    ("text;label\n\na;b;c\n", "line 3: the row has 3 fields, but the header has 2"),
    ('text,label\n"a\nb",c\n"d\n\ne",f,g\n', "t.csv, line 4: the row has 3 fields"),
    ('text,label\n"a,b\nc,d\ne,f\n', "t.csv, line 2: a quote opens here and is never closed"),
    ('text,label\n"a\nb,""c",d\n"e\nf","g\nh""\n', "t.csv, line 5: a quote opens here"),
    ('\ntext, label\na, "b\nc, d\n', "t.csv, line 3: a quote opens here and is never"),
    ('"text,label\na,b\n', "t.csv, line 1: a quote opens here and is never closed"),
    ('text,label\n"a,b\n"c",d\n', "line 2: the row that begins here, which goes on to line 3"),
    ('text,label\n"a" b,c\n', "line 2: the row that begins here, cannot be read"),
    ("text,label\na, \n", "line 2: the label is ' '; give one label; for several la"),
    ('text,label\nx,"a\nb"\n', "line 2: the label 'a\\nb' has a line break"),
    (" \n", "t.csv is empty"),
    (b"text,label\n\xff,a\n", "not UTF-8: byte 0xff at offset 11; save it as UTF-8, or"),
    (LINES.decode().encode("utf-16-le"), "it contains bytes of the value 0"),
    (codecs.BOM_UTF16_LE + b"a\0\0", "t.csv is not UTF-16: byte 0x00 at offset 4"),
]
JSONL_ERRORS = [
    (row('"a"', '"b"') + '{"text"\n', "t.jsonl, line 2: it is no JSON"),
    ("[" * 200_000, "t.jsonl, line 1: it is no JSON"),
    (row('"a"', '"b", "text": "x"'), "t.jsonl, line 1: the key 'text' occurs twice; keep one of"),
    ("[1]\n", "t.jsonl, line 1: it is '[1]'; use one object per line"),
    ('{"text": "a"}\n', f"line 1: there is no column 'label'; it has 'text'; use {LABEL}"),
    ('{"label": "a"}\n', f"line 1: there is no column 'text'; it has 'label'; use {TEXT}"),
    (row('"a"', '["b"]'), "line 1: the label is ['b']; give one label; for several la"),
    (row('"a"', "null"), "line 1: the label is null; fill it, or skip such rows with"),
    (row('"a"', "NaN"), "line 1: the label is null"),
    (row("null", '"a"'), "line 1: the text is null (column 'text'); fill it or"),
    (row('["a"]', '"a"'), "line 1: the text is \"['a']\"; use a string"),
    (row('"a\\ud83d"', '"a"'), "line 1: the text has half a character, '\\ud83d'"),
    (row('"a"', '"\\ude00"'), "line 1: the label has half a character, '\\ude00'"),
]
TABLE_ERRORS = [
    *(("t.csv", *case) for case in CSV_ERRORS),
    *(("t.jsonl", *case) for case in JSONL_ERRORS),
    ("t.tsv", "text\tlabel\n \n", "t.tsv has a header but no rows"),
    (
        "t.tsv",
        "text,label\na,b\n",
        "separate its columns by tabs, or rename a table with commas to",
    ),
    (
        "t.csv",
        b"\xd0\xcf\x11\xe0\xa1\xb1",
        "t.csv is not plain text: it is an old Excel or Word file",
    ),
    ("t.csv", b"\xff\0\x80", "t.csv is not plain text: it contains bytes of the value 0"),
    ("t.csv", PACKED, "t.csv is not plain text: it is a gzip file; let its name end with .gz"),
    ("t.txt", "a\n", "t.txt ends with '.txt'; use one of .csv, .tsv, .jsonl"),
    ("t.csv.gz", b"no gzip", "cannot read"),
    ("t.csv.gz", PACKED[:-9], "cannot read"),
    ("t.csv.gz", PACKED[:10] + b"\xff" * 20, "cannot read"),
]


@pytest.mark.parametrize(("name", "content", "message"), TABLE_ERRORS)
def test_a_wrong_table_is_one_line_that_says_where(tmp_path, name, content, message):
    found = error(tmp_path, name, content)
    assert message in found
    with pytest.raises(UserError) as caught:
        load_labeled_corpus(LabeledDataConfig("table_file", str(tmp_path / name)))
    assert str(caught.value) == found
    assert not list((tmp_path / "cache").glob("**/preparing-*"))


@pytest.mark.parametrize(
    ("first", "second", "kinds"),
    [
        ("1", '"1"', ("'1' is a string", "1 is a whole number")),
        ("1", "1.0", ("1.0 is a decimal number", "1 is a whole number")),
        ("true", '"true"', ("'true' is a string", "True is true or false")),
    ],
)
@pytest.mark.parametrize("form", ["%s", "[%s]"])
def test_labels_of_several_types_are_refused(tmp_path, first, second, kinds, form):
    lines = [f'{{"text": "a", "label": {form % label}}}\n' for label in (first, second)]
    columns = Columns(separator=",") if form == "[%s]" else Columns()
    message = error(tmp_path, "t.jsonl", "".join(lines), columns)
    for kind in kinds:
        assert kind in message
    assert "line 2: the label" in message
    assert "t.jsonl, line 1); write all labels in one way" in message


def test_a_small_file_that_unpacks_to_much_is_refused_at_once(tmp_path):
    bomb = gzip.compress(b"text,label\n" + b"a,b\n" * 2_000_000)
    assert len(bomb) < 100_000
    start = time.process_time()
    assert "unpacks to more than 1,048,576 bytes" in error(tmp_path, "t.csv.gz", bomb)
    assert time.process_time() - start < 5


# Rows without a label


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_rows_without_a_label_can_be_skipped_and_are_counted(tmp_path, capsys, name):
    rows = labeled_texts(40)
    mixed = [row for n, pair in enumerate(rows) for row in (pair, (f"none {n}", ""))[: 2 - n % 2]]
    path = tmp_path / name
    if path.suffix == ".csv":
        write_csv(path, mixed, ("text", "label"))
    else:
        write_jsonl(path, [(text, label or None) for text, label in mixed])
    with pytest.raises(UserError, match=f"line .*: the label is .*{SKIP}"):
        load_labeled_corpus(LabeledDataConfig("table_file", str(path)))
    config = LabeledDataConfig("table_file", str(path), skip_unlabeled=True)
    note = f"note: 20 of the 60 rows of {path}"
    for _ in range(2):  # the second time, from the cache
        splits = load_labeled_corpus(config).splits
        read = [
            (text, *labels)
            for split in splits.values()
            for text, labels in zip(split.texts, split.labels, strict=True)
        ]
        assert sorted(read) == sorted(rows)
        assert capsys.readouterr().err == f"{note} (train) have no label and are skipped\n"
    assert read_table(path, Columns(skip_unlabeled=True)) == [
        (text, (label,)) for text, label in rows
    ]
    assert capsys.readouterr().err == f"{note} have no label and are skipped\n"


def test_a_text_of_several_labels_may_have_none_unless_such_rows_are_skipped(tmp_path):
    content = "text,label\na,x\nb,\n"
    assert read(tmp_path, "t.csv", content, Columns(separator=";")) == [("a", "x"), ("b",)]
    columns = Columns(separator=";", skip_unlabeled=True)
    assert read(tmp_path, "t.csv", content, columns) == [("a", "x")]


def test_a_table_without_any_label_is_refused_also_where_such_rows_are_skipped(tmp_path):
    columns = Columns(skip_unlabeled=True)
    content = "".join(json.dumps({"text": "a", "labels": "b"}) + "\n" for _ in range(3))
    message = error(tmp_path, "t.jsonl", content, columns)
    assert f"no label in any of its 3 rows (column 'label'); use {LABEL}" in message
