"""Small sound files of every form that the zoo reads, as bytes, and who reads each."""

import gzip
import io
import json
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tiny_checkpoints

from zoo.cards import read_card
from zoo.commands.lines import given_lines
from zoo.data.corpora import find_corpus
from zoo.data.examples import Pair, Tagged
from zoo.data.tables import Columns, read_rows
from zoo.data.text_reading import Lines, numbered_lines, read_text
from zoo.data.vector_files import read_vectors
from zoo.errors import Note
from zoo.exchange.arpa import write_arpa
from zoo.report.records import read_lines
from zoo.report.runs import read_record

TEXT = "The net reads a line.\nIt guesses: naïve Straße, 日本語 — “quoted”.\n\nThe end\n".encode()
CSV = b'text,label\n"a ""good"" one, it is",for\nbad,against\n"two\nlines",for\n'
TSV = b"text\tlabel\na good one\tfor\nbad, they say\tagainst\n"
JSONL = b'{"text": "a good one", "label": "for"}\n{"text": "b\\u00e4d", "label": "against"}\n'
PAIRS = "das Haus\tthe house\nder Hund schläft\tthe dog sleeps\n".encode()
COLUMNS = "Zoë NNP B-per\nsaw VBD O\nRom NNP B-loc\n\n-DOCSTART- -X- O\n\nyes UH O\n".encode()
TREEBANK = b"# id\n1-2\tam" + b"\t_" * 8 + b"\n1\tan\tan\tADP\t_\tA=b|C=d\t0\troot\t_\t_\n"
SPANS = b'{"text": "in \\u00c5bo", "spans": [{"start": 3, "end": 6, "label": "loc"}]}\n'
METRICS = b'{"step": 1, "split": "train", "loss_nats": 1.5}\n{"step": 2, "split": "validation"}\n'
SESSIONS = b'{"step": 3, "seconds": 1.5, "command": "python train.py --config=x.py"}\n'
EVALUATIONS = b'{"step": 3, "settings": "mode stream", "scores": {"perplexity": 91.5}}\n'
GLOVE = b"red 0.1 -0.2 3e-1\nblue 1 2 3\n. . . 0 0 1\n"
WORD2VEC = b"2 3\n" + GLOVE[: GLOVE.index(b". .")]
BINARY = b"2 3\n" + b"\n".join(
    word + b" " + struct.pack("<3f", 0.5, -1, 2) for word in (b"red", b"blue")
)


def arpa_samples(directory: Path) -> list[bytes]:
    """ARPA files, as this zoo writes them and as others do."""
    import zoo

    checkpoint = zoo.load(tiny_checkpoints.save(directory, "counts"))
    path = directory / "sample.arpa"
    write_arpa(path, checkpoint.params, checkpoint.vocabulary)
    foreign = (
        b"\\data\\\nngram 1=4\nngram 2=2\n\n\\1-grams:\n-1\t<unk>\n-99\t<s>\t-0.3\n-0.5\t</s>\n"
        b"-0.4\tred\t-0.1\n\n\\2-grams:\n-0.2\t<s> red\n-0.3\tred </s>\n\n\\end\\\n"
    )
    return [path.read_bytes(), foreign]


def card_sample() -> bytes:
    """The card of a released checkpoint."""
    return (Path(__file__).parents[2] / "checkpoints/trec/card.json").read_bytes()


def safetensors_sample(directory: Path) -> bytes:
    """A checkpoint in one file."""
    from zoo.__main__ import main

    run = tiny_checkpoints.save(directory, "lstm")
    path = directory / "sample.safetensors"
    assert main(["export", str(run), str(path)]) == 0
    return path.read_bytes()


def subword_sample() -> bytes:
    """A sentencepiece model."""
    from zoo.data.subwords import train_subwords

    return train_subwords(["a net reads a line", "it guesses the next word"] * 3, 30)


def state_dict_sample() -> bytes:
    """The arrays of a torch.nn.GRU as numpy.savez writes them."""
    draw = np.random.default_rng(0).normal
    shapes = {"weight_ih": (12, 3), "weight_hh": (12, 4), "bias_ih": (12,), "bias_hh": (12,)}
    state = {f"{name}_l0": draw(size=shape).astype("f4") for name, shape in shapes.items()}
    buffer = io.BytesIO()
    np.savez(buffer, **state)
    return buffer.getvalue()


def state_dict_of(content: bytes) -> dict[str, Any]:
    """What of a damaged .npz can still be read as arrays: the state dict that a user would give."""
    state = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            try:
                state[name.removesuffix(".npy")] = np.load(io.BytesIO(archive.read(name)))
            except Exception:  # NumPy's own refusal of damage, before the zoo sees anything
                state[name.removesuffix(".npy")] = np.zeros(0)
    return state


def packed(content: bytes) -> bytes:
    """The bytes in gzip's form, always the same."""
    return gzip.compress(content, mtime=0)


def bombs() -> dict[str, bytes]:
    """Packed files that are small and unpack to 300 megabytes, by their suffix."""
    import bz2

    zeros, rows = b" " * 300_000_000, b"text,label\n" + b"a,b\n" * 10_000_000
    return {".gz": packed(zeros), ".bz2": bz2.compress(zeros), ".csv.gz": packed(rows)}


def _rows(separator: str = "") -> Callable[[Path], Any]:
    return lambda path: list(read_rows(path, Columns(separator=separator)))


def _report(*names: str) -> Callable[[Path], Any]:
    """Returns what reads the records of a run whose files of these names are the file."""

    def read(path: Path) -> Any:
        told: list[str] = []
        read_lines(path, told.append)
        assert all("\n" not in line for line in told)
        run = path.parent / "run"
        run.mkdir(exist_ok=True)
        (run / "config.json").write_text(json.dumps({"model": {"architecture": "recurrent_lm"}}))
        for name in names:
            (run / name).write_bytes(path.read_bytes())
        from zoo.report.page import write_report

        read_record(run)
        return write_report([run])

    return read


def _pairs(*paths: Path) -> Any:
    options = {"source_language": "de", "target_language": "en"}
    return list(find_corpus("parallel_text", Pair).examples(Lines(paths), options))


def _tagged(corpus: str, **options: str) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        found = find_corpus(corpus, Tagged)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Note)
            return list(found.examples(Lines([path], keep_blank=found.keep_blank), options))

    return read


# By the name of a reader: the suffix of its files, who reads them, and sound ones.
READERS: dict[str, tuple[str, Callable[[Path], Any], list[bytes]]] = {
    "text": (".txt", read_text, [TEXT, TEXT.decode().encode("utf-16")]),
    "packed text": (".txt.gz", read_text, [packed(TEXT)]),
    "numbered lines": (".txt", lambda path: list(numbered_lines(path)), [TEXT]),
    "lines of a command": (".txt", lambda path: list(given_lines([], str(path))), [TEXT]),
    "csv": (".csv", _rows(), [CSV, CSV.replace(b",", b";")]),
    "csv of several labels": (".csv", _rows("|"), [CSV.replace(b"for", b"for|new")]),
    "packed csv": (".csv.gz", _rows(), [packed(CSV)]),
    "tsv": (".tsv", _rows(), [TSV]),
    "jsonl": (".jsonl", _rows(), [JSONL]),
    "jsonl of several labels": (".jsonl", _rows(","), [JSONL.replace(b'"for"', b'["for", "new"]')]),
    "parallel table": (".tsv", lambda path: _pairs(path), [PAIRS]),
    "parallel files": (".txt", lambda path: _pairs(path, path), [PAIRS]),
    "columns": (".conll", _tagged("conll_file", word_column="", tag_column=""), [COLUMNS]),
    "treebank": (".conllu", _tagged("conllu_file", tag_column="A"), [TREEBANK]),
    "spans": (".jsonl", _tagged("spans_file"), [SPANS]),
    "word2vec text": (".txt", lambda path: list(read_vectors(str(path))), [WORD2VEC]),
    "word2vec binary": (".bin", lambda path: list(read_vectors(str(path))), [BINARY]),
    "GloVe": (".txt", lambda path: list(read_vectors(str(path))), [GLOVE]),
    "packed vectors": (".gz", lambda path: list(read_vectors(str(path))), [packed(WORD2VEC)]),
    "card": (".json", read_card, [card_sample()]),
    "metrics of a run": (".jsonl", _report("metrics.jsonl", "samples.jsonl"), [METRICS]),
    "sessions of a run": (".jsonl", _report("sessions.jsonl"), [SESSIONS]),
    "evaluations of a run": (".jsonl", _report("evaluations.jsonl"), [EVALUATIONS]),
}
