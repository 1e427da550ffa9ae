"""The paired bootstrap against loops written from its definition, and on known differences."""

import dataclasses
import json
import math

import numpy as np
import pytest
import tiny_checkpoints
from labeled_texts import write_csv

import zoo
from zoo.__main__ import main
from zoo.data.labels import make_labels
from zoo.data.vocabulary import WordVocabulary
from zoo.errors import UserError
from zoo.evaluation.bleu import bleu_of_sums, count_ngrams, score_texts
from zoo.evaluation.classification import score_probabilities
from zoo.evaluation.comparing import (
    Measure,
    TextStatistics,
    all_f1,
    compare,
    exp_ratio,
    mean_f1,
    ratio,
)

RNG = np.random.default_rng(8)
TEXTS = [f"text {number}" for number in range(12)]


def of(**measures):
    return TextStatistics(TEXTS, measures)


def test_an_infinite_score_is_told():
    values = np.ones((12, 2))
    values[3, 0] = np.inf
    with pytest.raises(UserError, match="perplexity is not finite"):
        compare(*(of(perplexity=Measure(one, exp_ratio)) for one in (values, np.ones((12, 2)))))


def test_it_is_the_definition_sample_by_sample():
    """Text i is in sample b as often as it was drawn; every sum is made by a loop."""
    first, second = (RNG.uniform(1, 5, (12, 2)) for _ in range(2))
    second[:, 1] = first[:, 1]
    (found,) = compare(
        of(perplexity=Measure(first, exp_ratio, same=(1,))),
        of(perplexity=Measure(second, exp_ratio, same=(1,))),
        num_samples=50,
        seed=7,
    )
    draw, differences = np.random.default_rng(7), []
    for _ in range(50):
        counts = draw.multinomial(12, [1 / 12] * 12)
        drawn = [text for text, count in enumerate(counts) for _ in range(count)]
        assert len(drawn) == 12
        scores = []
        for values in (first, second):
            nats = sum(values[text, 0] for text in drawn)
            tokens = sum(values[text, 1] for text in drawn)
            scores.append(math.exp(nats / tokens))
        differences.append(scores[0] - scores[1])
    whole = [math.exp(values[:, 0].sum() / values[:, 1].sum()) for values in (first, second)]
    assert (found.first, found.second) == pytest.approx(tuple(whole))
    assert found.difference == pytest.approx(whole[0] - whole[1])
    far = sum(abs(one - found.difference) >= abs(found.difference) for one in differences)
    assert found.p_value == (1 + far) / 51
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(differences, [0.025, 0.975])))
    assert (found.num_texts, found.num_samples) == (12, 50)


def test_equal_models_do_not_differ_and_far_ones_do():
    right, wrong = (np.column_stack([np.full(12, v), np.ones(12)]) for v in (1.0, 0.0))
    same = compare(of(accuracy=Measure(right, ratio)), of(accuracy=Measure(right, ratio)))[0]
    assert (same.difference, same.p_value) == (0, 1)
    far = compare(of(accuracy=Measure(right, ratio)), of(accuracy=Measure(wrong, ratio)))[0]
    assert (far.difference, far.low, far.high) == (1, 1, 1)
    assert far.p_value == pytest.approx(1 / 10_001)


def test_p_is_even_where_there_is_no_difference():
    """Of two models that are right by the same coin, p is below 0.2 in about a fifth of trials."""
    values = []
    for trial in range(200):
        rights = RNG.integers(0, 2, (2, 12)).astype(float)
        sides = [of(a=Measure(np.column_stack([r, np.ones(12)]), ratio)) for r in rights]
        values.append(compare(*sides, num_samples=300, seed=trial)[0].p_value)
    assert 0.1 < np.mean(np.array(values) < 0.2) < 0.35


def test_one_text_is_too_few_to_draw_from():
    one = [TextStatistics(["a"], {"a": Measure(np.ones((1, 2)), ratio)}) for _ in range(2)]
    with pytest.raises(UserError, match="there is one text"):
        compare(*one)


def test_what_is_not_of_one_thing_is_not_compared():
    ones = np.ones((12, 2))
    other = ones.copy()
    other[3, 1] = 2
    sides = [
        of(p=Measure(one, exp_ratio, same=(1,)), a=Measure(one, ratio)) for one in (ones, other)
    ]
    assert [one.measure for one in compare(*sides, num_samples=10)] == ["a"]
    with pytest.raises(UserError, match="no score of the two models can be compared"):
        compare(of(a=Measure(ones, ratio)), of(a=Measure(np.ones((12, 6)), ratio)))
    with pytest.raises(UserError, match=r"measured on different texts \(12 and 2\)"):
        compare(of(a=Measure(ones, ratio)), TextStatistics(["a", "b"], {}))


def test_f1_of_sums_is_f1_of_texts():
    labels = make_labels([[name] for name in "abcd"])
    targets = np.eye(4)[RNG.integers(0, 3, 30)]
    probabilities = RNG.dirichlet(np.ones(4), 30)
    score = score_probabilities(probabilities, targets, labels, np.full(4, 0.5))
    truth, found = targets > 0, np.eye(4)[probabilities.argmax(axis=1)] > 0
    sums = np.concatenate([2.0 * (truth & found), 1.0 * truth + found], axis=1).sum(axis=0)[None]
    assert mean_f1(sums)[0] == pytest.approx(score.macro_f1)
    assert all_f1(sums)[0] == pytest.approx(score.micro_f1)


@pytest.mark.parametrize("words", ["the old dog sleeps in the warm sun", "a b c d", "one"])
@pytest.mark.parametrize("kept", [0, 2, 3, 9])
def test_bleu_of_sums_is_that_of_sacrebleu(words, kept):
    """With matches of all orders, of some alone, and of none."""
    draw = np.random.default_rng(kept)
    references = [" ".join(draw.permutation(words.split())) for _ in range(5)]
    translations = [
        " ".join([*text.split()[:kept], *["zebra"] * draw.integers(0, 3)]) for text in references
    ]
    sums = count_ngrams(translations, references).sum(axis=0)[None]
    assert bleu_of_sums(sums)[0] == pytest.approx(score_texts(translations, references).bleu)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("compare")
    for name in ("lstm", "gru", "counts", "characters", "topics", "german", "german_vector"):
        tiny_checkpoints.save(root, name)
    (root / "text.txt").write_text("a net reads\nit guesses the next word\na line\n" * 3)
    rows = [(f"a net {number}", f"label {number % 3}") for number in range(9)]
    write_csv(root / "table.csv", rows, ("text", "label"))
    (root / "de.txt").write_text("ein Netz\neine Zeile\nein Netz liest\n")
    (root / "en.txt").write_text("a net\na line\na net reads\n")
    topics = zoo.load(root / "topics")
    config = zoo.config("csv_classifier")
    config.model.update({name: topics.config["model"][name] for name in ("pooling",)})
    config.model.embedding_size, config.model.hidden_sizes = 6, (5,)
    for seed in (0, 1):
        made = zoo.build(config, topics.vocabulary, labels=topics.labels, seed=seed)
        zoo.save(made, root / f"classifier_{seed}")
    return root


def run(capsys, *words):
    code = main(["compare", *map(str, words), "--samples=200"])
    return (code, *capsys.readouterr())


def test_language_models(root, capsys):
    text = f"--text={root}/text.txt"
    code, out, err = run(capsys, root / "lstm", root / "counts", text, "--mode=sentence", "--json")
    assert (code, err) == (0, "")
    record = json.loads(out)
    found = {one["measure"]: one for one in record["differences"]}
    assert set(found) == {"perplexity", "bits_per_character"}
    lines = (root / "text.txt").read_text()
    for side, name in (("first", "lstm"), ("second", "counts")):
        score = zoo.evaluate(root / name, lines, mode="sentence")
        assert found["perplexity"][side] == pytest.approx(score.perplexity, rel=1e-5)
        bits = found["bits_per_character"][side]
        assert bits == pytest.approx(score.bits_per_character, rel=1e-5)
    code, out, _ = run(capsys, root / "lstm", root / "characters", text)
    assert code == 0
    assert out.startswith("bits per character: ")  # their tokens differ
    assert out.count("\n") == 1
    assert "9 texts" in out


def test_models_that_know_other_words_are_not_compared(root, capsys):
    """The one that knows fewer words would win: <unk> is easy to predict."""
    counts = zoo.load(root / "counts")
    fewer = dataclasses.replace(
        counts, vocabulary=WordVocabulary([*counts.vocabulary.tokens[:-1], "other"])
    )
    word = counts.vocabulary.tokens[-1]
    zoo.save(fewer, root / "fewer")
    for text, wanted in ((f"a {word}\n", 2), (f"{counts.vocabulary.tokens[3]}\n", 0)):
        (root / "words.txt").write_text(text * 3)
        code, _, err = run(capsys, root / "counts", root / "fewer", f"--text={root}/words.txt")
        assert code == wanted
        assert ("unknown tokens differ" in err) == bool(wanted)


def test_classifiers_and_translators(root, capsys):
    names = (root / "classifier_0", root / "classifier_1")
    code, out, err = run(capsys, *names, f"--text={root}/table.csv", "--json")
    assert (code, err) == (0, "")
    found = {one["measure"]: one for one in json.loads(out)["differences"]}
    texts = [f"a net {number}" for number in range(9)]
    labels = [f"label {number % 3}" for number in range(9)]
    for side, name in zip(("first", "second"), names, strict=True):
        score = zoo.evaluate_classifier(name, texts, labels)
        assert found["accuracy"][side] == pytest.approx(score.accuracy)
        assert found["macro_f1"][side] == pytest.approx(score.macro_f1)
        assert found["micro_f1"][side] == pytest.approx(score.micro_f1)
    files = (f"--source={root}/de.txt", f"--target={root}/en.txt", "--beam_size=1")
    code, out, _ = run(capsys, root / "german", root / "german_vector", *files, "--json")
    assert code == 0
    (bleu,) = json.loads(out)["differences"]
    pairs = [("ein Netz", "a net"), ("eine Zeile", "a line"), ("ein Netz liest", "a net reads")]
    score = zoo.evaluate_translator(root / "german", pairs, beam_size=1)
    assert bleu["first"] == pytest.approx(score.bleu, abs=1e-6)


def test_scores_of_different_tasks_are_not_put_side_by_side(root, capsys):
    words = ["evaluate", root / "topics", root / "lstm", f"--text={root}/text.txt"]
    assert main([str(word) for word in words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "topics is a classifier and " in err
    assert "lstm a language model; give models of one task" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lstm", "topics", "--text={root}/text.txt"], "is a language model and "),
        (["lstm", "lstn", "--text={root}/text.txt"], "there is no checkpoint"),
        (["lstm", "gru", "--text={root}/none.txt"], "cannot read"),
        (["lstm", "gru", "--source={root}/de.txt"], "belong together; give both"),
        (["german", "german_vector", "--text={root}/text.txt"], "--text is not for a translator"),
        (
            ["lstm", "gru", "--source={root}/de.txt", "--target={root}/en.txt"],
            "--source is not for a language model; give --text=FILE instead",
        ),
        (["lstm", "gru", "--text={root}/text.txt", "--beam_size=2"], "--beam_size is not for a"),
        (["lstm", "gru"], "knows no corpus; give a text with --text=FILE"),
    ],
)
def test_mistakes_are_one_line(root, capsys, words, message):
    names = [str(root / words[0]), str(root / words[1])]
    code, out, err = run(capsys, *names, *(word.format(root=root) for word in words[2:]))
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_the_seed_of_the_command_chooses_the_samples(root, capsys):
    words = (root / "lstm", root / "gru", f"--text={root}/text.txt", "--json")
    first, again, other = (run(capsys, *words, f"--seed={seed}")[1] for seed in (0, 0, 1))
    assert first == again != other
