"""The task of a tagger: its loss against all sequences, its settings, and a run that is cut."""

import itertools
import json
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from tagged_sentences import tagged_sentences, tagger_config, write_columns
from tiny_run import saved_bits

import zoo
from zoo.__main__ import main
from zoo.data.config import TaggedDataConfig
from zoo.data.tagged_batching import TaggedBatch
from zoo.errors import UserError
from zoo.models.tagger import Tagger, TaggerConfig
from zoo.tasks.own_corpus import own_data_config
from zoo.tasks.registry import build_workload
from zoo.tasks.tagging import TaggerLoss
from zoo.training.config import base_config
from zoo.training.loop import train

KEY = jax.random.key(0)
DRAW = np.random.default_rng(0)
K, LENGTHS = 3, np.array([4, 1, 3], np.int32)
BATCH = TaggedBatch(
    words=DRAW.integers(0, 9, (3, 4)).astype(np.int32),
    characters=None,
    lengths=LENGTHS,
    tags=DRAW.integers(0, K, (3, 4)).astype(np.int32),
)


def nats(scores, transitions, tags):
    """-log p(y|x) of one sentence, from the scores of all sequences."""

    def s(sequence):
        own = sum(scores[step, tag] for step, tag in enumerate(sequence))
        if transitions is None:
            return own
        start, between, end = transitions
        pairs = sum(between[pair] for pair in itertools.pairwise(sequence))
        return own + start[sequence[0]] + pairs + end[sequence[-1]]

    total = [s(sequence) for sequence in itertools.product(range(K), repeat=len(tags))]
    return np.log(np.exp(total).sum()) - s(tuple(tags))


@pytest.mark.parametrize("output", ["softmax", "crf"])
def test_the_loss_is_that_of_whole_sentences(output):
    config = TaggerConfig(embedding_size=4, hidden_sizes=(5,), characters="none", output=output)
    model = Tagger(config, 9, K)
    shapes = jax.eval_shape(model.init, KEY, BATCH.words, lengths=LENGTHS)["params"]
    params = jax.tree.map(lambda leaf: DRAW.normal(size=leaf.shape).astype(np.float32), shapes)
    found = jax.jit(model.apply)({"params": params}, BATCH.words, lengths=LENGTHS)
    transitions = found.transitions and [np.asarray(part, float) for part in found.transitions]
    total = sum(
        nats(np.asarray(found.scores[row, :length], float), transitions, BATCH.tags[row, :length])
        for row, length in enumerate(LENGTHS)
    )
    loss, (carry, metrics) = jax.jit(TaggerLoss(model).loss)(params, (), BATCH, KEY)
    assert float(loss) == pytest.approx(total / 8, rel=1e-4)
    assert carry == ()
    assert float(metrics["loss_nats"]) == pytest.approx(total, rel=1e-4)
    assert (metrics["num_targets"], metrics["num_tokens"]) == (8, 8)
    padded = BATCH._replace(tags=np.where(np.arange(4) < LENGTHS[:, None], BATCH.tags, 2))
    assert TaggerLoss(model).loss(params, (), padded, KEY)[0] == loss


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A file of sentences; one of 12 words, and a second column with the last letter."""
    path = tmp_path_factory.mktemp("tagged") / "names.conll"
    sentences = [*tagged_sentences(), (("Ulm",) * 12, ("B-loc",) * 12)]
    rows = [
        "".join(f"{word}\t{word[-1]}\t{tag}\n" for word, tag in zip(*sentence, strict=True))
        for sentence in sentences
    ]
    path.write_text("\n".join(rows))
    return path


def tags_of(workload):
    return workload.vocabulary["tags"]


def words_of(workload):
    return workload.vocabulary["words"]["tokens"]


def shapes(workload):
    batches = workload.batches
    return sorted(batches.batch(0, n).words.shape for n in range(batches.batches_per_epoch))


DATA_CHANGES = {
    "validation_fraction": (0.4, lambda w: w.batches.batches_per_epoch),
    "test_fraction": (0.4, lambda w: w.batches.batches_per_epoch),
    "vocabulary_size": (10, words_of),
    "min_count": (20, words_of),
    "max_tokens": (5, lambda w: (len(w.batches._tags), w.notes)),
    "batch_size": (5, shapes),
    "bucket_lengths": ((4, 20), shapes),
    "lowercase": (True, words_of),
    "word_column": ("2", words_of),
    "tag_column": ("2", tags_of),
    "file_scheme": ("plain", lambda w: w.vocabulary["scheme"]),
    "scheme": ("bioes", tags_of),
}


@pytest.mark.parametrize("field", DATA_CHANGES)
def test_every_setting_of_the_data_reaches_the_workload(corpus, field):
    elsewhere = {"corpus", "directory", "cache_directory", "vocabulary"}
    elsewhere |= {"word_vectors", "keep_word_vectors"}
    assert set(base_config("tagger").data.keys()) == DATA_CHANGES.keys() | elsewhere
    value, observe = DATA_CHANGES[field]
    before = observe(build_workload(tagger_config(corpus)))
    assert before != observe(build_workload(tagger_config(corpus, **{f"data__{field}": value})))


def test_long_sentences_are_left_out_and_told(corpus):
    workload = build_workload(tagger_config(corpus, data__max_tokens=5))
    assert max(len(row) for row in workload.batches._tags) <= 5
    note = workload.notes[0]
    assert note.endswith("training sentences are longer than 5 tokens and were left out")


def test_pre_trained_vectors_are_the_start_and_may_be_frozen(corpus, tmp_path):
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("ulm 1 2 3\nanna -1 -2 -3\nrome 4 5 6\n")
    settings = {"data__word_vectors": str(vectors), "model__embedding_size": 3}
    settings |= {"data__lowercase": True, "training__freeze_word_vectors": True}
    workload = build_workload(tagger_config(corpus, data__keep_word_vectors=True, **settings))
    words = words_of(workload)
    embedding = workload.init_params(KEY)["embedding"]
    assert embedding[words.index("ulm")].tolist() == [1, 2, 3]
    assert embedding[words.index("rome")].tolist() == [4, 5, 6]
    assert words[-1] == "rome"
    assert workload.vocabulary["num_trained_words"] == len(words) - 1
    assert workload.frozen["embedding"].sum() == 3
    assert any("have a vector" in note for note in workload.notes)
    sentence = [("Anna", "RomE", "x")]
    assert workload.trained.known_words(sentence) == {"Anna"}


def test_a_run_with_words_of_vectors_is_measured_without_them():
    data = {"corpus": "python_source_roles", "keep_word_vectors": True, "word_vectors": "x.txt"}
    trained = SimpleNamespace(name="it", config={"data": data})
    assert own_data_config(trained, TaggedDataConfig, None) == TaggedDataConfig()


def test_plain_tags_have_no_constraints(corpus):
    workload = build_workload(tagger_config(corpus, data__file_scheme="plain"))
    assert workload.trained.model.allowed is None


def test_constraints_follow_the_scheme(corpus):
    workload = build_workload(tagger_config(corpus))
    tags, allowed = tags_of(workload), workload.trained.model.allowed
    inside, outside, other = (tags.index(tag) for tag in ("I-loc", "O", "I-per"))
    assert not allowed[0][inside]
    assert not allowed[1][outside][inside]
    assert not allowed[1][other][inside]
    assert allowed[1][tags.index("B-loc")][inside]
    assert all(allowed[2])


STEPS = {
    "model__characters": "convolution",
    "model__word_dropout_rate": 0.1,
    "model__embedding_dropout_rate": 0.1,
    "optimizer__learning_rate": 0.05,
    "training__checkpoint_every_steps": 20,
    "evaluation__every_steps": 20,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The directory of a run that nothing stopped, and its corpus."""
    directory = tmp_path_factory.mktemp("run")
    path = write_columns(directory / "names.conll", tagged_sentences())
    with jax.numpy_dtype_promotion("standard"):
        train(tagger_config(path, training__num_steps=60, **STEPS), str(directory / "run"))
    return directory / "run", path


@pytest.mark.usefixtures("optax_dtypes")
def test_a_run_that_was_cut_ends_bit_for_bit_as_the_whole(run, tmp_path):
    whole, path = run
    for num_steps in (20, 60):
        config = tagger_config(path, training__num_steps=num_steps, **STEPS)
        train(config, str(tmp_path / "cut"), allow_config_change=True, log=lambda line: None)
    assert saved_bits(tmp_path / "cut", 60) == saved_bits(whole, 60)


def test_the_run_learns_and_leaves_a_report(run):
    summary = json.loads((run[0] / "summary.json").read_text())
    assert summary["scores"]["f1"] > 0.9
    assert summary["scores"]["error"] == pytest.approx(1 - summary["scores"]["f1"])
    assert [figure["title"][:10] for figure in summary["figures"]][:1] == ["Scores of "]
    page = (run[0] / "report.html").read_text()
    assert "Scores of each type" in page
    assert "Samples" in page


def test_it_is_measured_on_its_splits_and_on_a_file(run, tmp_path, capsys):
    name, path = str(run[0]), run[1]
    assert main(["evaluate", name, "--split=test", "--json", f"--data_directory={path}"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["f1"] > 0.9
    assert {row["label"] for row in found["by_type"]} == {"per", "loc"}
    own = write_columns(tmp_path / "own.conll", [(("Ida", "Bonn"), ("B-per", "B-loc"))])
    assert main(["evaluate", name, f"--text={own}"]) == 0
    told = capsys.readouterr().out
    assert "num_sentences       1\n" in told
    assert "type  precision" in told
    other = tmp_path / "own.jsonl"
    rows = {"text": "Ida lives in Bonn", "spans": [{"start": 13, "end": 17, "label": "loc"}]}
    other.write_text(json.dumps(rows) + "\n")
    assert main(["evaluate", name, f"--text={other}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["spans"]["num_gold"] == 1


def test_several_seeds_are_trained_at_once(run, tmp_path):
    config = tagger_config(run[1], training__num_steps=40, training__num_seeds=2, **STEPS)
    with jax.numpy_dtype_promotion("standard"):
        train(config, str(tmp_path / "seeds"), log=lambda line: None)
    models = [zoo.load(tmp_path / "seeds" / f"seed_{seed}") for seed in (0, 1)]
    tags = [zoo.tag(model, ["Anna lives in Bonn"])[0].tags for model in models]
    assert tags == [("B-per", "O", "O", "B-loc")] * 2


def test_other_models_are_told_apart(run):
    with pytest.raises(UserError, match="this is a tagger, not a classifier; use tag"):
        zoo.classify(zoo.load(run[0]), ["Anna"])
    with pytest.raises(UserError, match="this is a classifier, not a tagger; use classify"):
        zoo.tag(zoo.load("trec"), ["Anna"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tags": ["O"]}, r"there are 1 different tags \(O\); a tagger has 2 to 2,000"),
        ({"tags": [f"B-{n}" for n in range(2001)]}, "there are 2,001 different tags"),
        ({"tags": ["O", "O"]}, "a tag occurs twice among the tags"),
        ({"scheme": "iob9"}, "the scheme is 'iob9'"),
        ({"tags": ["O", "person"]}, "the tag is 'person'"),
    ],
)
def test_a_damaged_record_is_told(run, change, message):
    from zoo.tasks.tagging import TAGGING

    trained = zoo.load(run[0])
    record = {**trained.vocabulary_record, **change}
    with pytest.raises(UserError, match=message):
        TAGGING.open(trained.config, record, {})


@pytest.mark.filterwarnings("always")
def test_evaluate_notes_other_sentences(run, tmp_path, capsys):
    other = write_columns(tmp_path / "names.conll", tagged_sentences(seed=3))
    for place, noted in ((run[1], False), (other, True)):
        flags = ["--split=test", f"--data_directory={place}"]
        assert main(["evaluate", str(run[0]), *flags]) == 0
        err = capsys.readouterr().err
        assert ("the test split that was found is not the test split of the run" in err) == noted
