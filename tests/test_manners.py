"""How the public objects and functions behave in a Python session."""

import jax
import numpy as np
import pytest
import tiny_checkpoints

import zoo
from zoo.data.labels import make_labels
from zoo.errors import UserError
from zoo.evaluation.adaptive import adapt
from zoo.evaluation.classification import score_probabilities
from zoo.evaluation.neural_cache import NeuralCache

TEXT = "a net reads a line"
MODELS = ("lstm", "counts", "topics", "german")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A checkpoint of every task."""
    root = tmp_path_factory.mktemp("manners")
    for name in MODELS:
        tiny_checkpoints.save(root, name)
    return root


@pytest.fixture
def names(root, monkeypatch):
    """Inside, they are found by their names, as released ones are."""
    for name in MODELS:
        target = root / "released" / name
        if not target.exists():
            zoo.save(root / name, target)
    monkeypatch.setenv("ZOO_CHECKPOINTS", str(root / "released"))


@pytest.mark.parametrize("name", MODELS)
def test_a_checkpoint_is_shown_in_three_lines(root, name):
    checkpoint = zoo.load(root / name)
    lines = repr(checkpoint).split("\n")
    assert len(lines) == 3
    assert max(map(len, lines)) < 200
    count = sum(leaf.size for leaf in jax.tree.leaves(checkpoint.params))
    assert f"{checkpoint.kind.noun}, " in lines[0]
    assert f" {count:,} parameters, step 1" in lines[0]
    assert f"{len(checkpoint.vocabulary):,} word tokens" in lines[1]


def test_it_shows_corpus_labels_and_scores():
    lines = repr(zoo.load("python_docs_topics")).split("\n")
    assert lines[0].startswith("python_docs_topics: classifier, classifier, ")
    assert lines[1].endswith("8 labels; corpus python_docs_topics")
    assert "accuracy 0.59" in lines[2]


def test_checkpoints_are_compared_as_objects_and_have_a_hash(root):
    first, second = zoo.load(root / "lstm"), zoo.load(root / "lstm")
    assert first == first
    assert first != second
    assert len({first, second, first}) == 2
    mixtures = [zoo.mix([first, second], TEXT) for _ in range(2)]
    adaptive = [adapt(first, cache=NeuralCache()) for _ in range(2)]
    for one, other in (mixtures, adaptive):
        assert one != other
        assert len({one, other}) == 2
        assert len(repr(one)) < 700


def test_results_are_compared_by_their_values(root):
    for use, name in ((zoo.classify, "topics"), (zoo.translate, "german")):
        (first,), (second,) = use(root / name, TEXT), use(root / name, TEXT)
        assert first == second
        assert len({first, second}) == 1
    labels = make_labels([["a"], ["b"]])
    scores = [
        score_probabilities(np.array([[0.9, 0.1], row]), np.eye(2), labels, np.full(2, 0.5))
        for row in ([0.2, 0.8], [0.2, 0.8], [0.6, 0.4])
    ]
    assert scores[0] == scores[1]
    assert scores[0] != scores[2]
    assert len(set(scores)) == 2


def test_every_function_takes_a_name(names):
    assert zoo.generate("lstm", TEXT, max_tokens=3).startswith(TEXT)
    assert "".join(zoo.stream_generate("lstm", TEXT)).startswith(TEXT)
    assert zoo.perplexity("counts", TEXT) == zoo.evaluate("counts", TEXT).perplexity
    assert zoo.classify("topics", TEXT)[0].labels
    assert zoo.evaluate_classifier("topics", [TEXT], ["label 1"]).num_examples == 1
    assert zoo.translate("german", "ein Netz")[0].source == "ein Netz"
    assert zoo.evaluate_translator("german", [("ein Netz", "a net")]).num_examples == 1
    assert zoo.mix(["lstm", "counts"], TEXT).weights.shape == (2,)
    assert zoo.adapt("lstm", cache=NeuralCache()).name == "lstm"


def test_a_name_of_another_kind_or_of_nothing_is_told(names):
    with pytest.raises(UserError, match="this is a classifier, not a language model; use classify"):
        zoo.generate("topics")
    with pytest.raises(UserError, match="not a language model; use evaluate_classifier"):
        zoo.evaluate("topics", TEXT)
    with pytest.raises(UserError, match="not a language model; use evaluate_translator"):
        zoo.evaluate("german", TEXT)
    with pytest.raises(UserError, match="there is no checkpoint 'lstn'; released: lstm"):
        zoo.generate("lstn")


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda m: zoo.generate(3), TypeError, "expected a trained model, not a int"),
        (lambda m: zoo.generate(m, 5), TypeError, "prompt is 5, an int; give a string or a list"),
        (lambda m: zoo.generate(m, [5]), TypeError, "prompt has 5, an int, where a text belongs"),
        (lambda m: zoo.generate(m, max_tokens="50"), UserError, "max_tokens is '50', a str; use a"),
        (lambda m: zoo.generate(m, temperature="1"), UserError, "temperature is '1', a str; use a"),
        (lambda m: zoo.generate(m, max_tokens=2.5), UserError, "max_tokens is 2.5, a float; use"),
        (lambda m: zoo.generate(m, allow_unknown=1), UserError, "allow_unknown is 1, an int; use"),
        (lambda m: zoo.generate(m, seed=True), UserError, "seed is True, a bool; use a whole"),
        (lambda m: zoo.perplexity(m, 5), TypeError, "text is 5, an int; give a string or a list"),
        (lambda m: zoo.perplexity(m, b"a"), TypeError, "text is b'a', a bytes; give a string"),
        (lambda m: zoo.perplexity(m, {"a": 1}), TypeError, "text is {'a': 1}, a dict; give a str"),
        (lambda m: zoo.generate(m, {"a"}), TypeError, "prompt is {'a'}, a set; give a string or"),
        (lambda m: zoo.mix({"lstm"}, "a"), TypeError, "checkpoints is {'lstm'}, a set; give a l"),
        (lambda m: zoo.train({}, "x"), TypeError, "the config is {}, of type dict; give a config"),
        (lambda m: zoo.train(None, "x"), TypeError, "the config is None, of type NoneType; give"),
        (
            lambda m: zoo.build("csv_classifier", m.vocabulary, labels="ab"),
            TypeError,
            "labels is 'ab', a str; give a list of them",
        ),
        (lambda m: zoo.mix("lstm", "a"), TypeError, "checkpoints is 'lstm', a str; give a list"),
        (lambda m: NeuralCache(size="500"), UserError, "size is '500', a str; use a whole number"),
        (lambda m: zoo.DynamicEvaluation(rate="x"), UserError, "rate is 'x', a str; use a number"),
    ],
)
def test_what_can_not_be_meant_is_one_line(root, call, kind, message):
    checkpoint = zoo.load(root / "lstm")
    with pytest.raises(kind) as caught:
        call(checkpoint)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_texts_and_labels_are_lists_of_their_own(root):
    classifier, translator = zoo.load(root / "topics"), zoo.load(root / "german")
    nested = zoo.evaluate_classifier(classifier, [TEXT, "a"], [["label 1"], ["label 2"]])
    assert zoo.evaluate_classifier(classifier, [TEXT, "a"], ["label 1", "label 2"]) == nested
    with pytest.raises(TypeError, match=r"texts is 'a net', a str; give a list of them"):
        zoo.evaluate_classifier(classifier, "a net", ["label 1"])
    with pytest.raises(TypeError, match=r"labels is 'label 1', a str; give a list of them"):
        zoo.evaluate_classifier(classifier, ["a net"], "label 1")
    with pytest.raises(TypeError, match=r"texts is 5, an int"):
        zoo.classify(classifier, 5)
    with pytest.raises(UserError, match=r"beam_size is '5', a str; use a whole number"):
        zoo.translate(translator, TEXT, beam_size="5")
    with pytest.raises(TypeError, match=r"a pair is \('a',\); give \(source, reference\)"):
        zoo.evaluate_translator(translator, [("a",)])


def test_numbers_of_numpy_are_numbers(root):
    text = zoo.generate(root / "lstm", TEXT, max_tokens=np.int64(3), temperature=np.float32(0.5))
    assert text.startswith(TEXT)


def test_the_package_lists_its_public_names_alone():
    assert dir(zoo) == sorted(zoo.__all__)
