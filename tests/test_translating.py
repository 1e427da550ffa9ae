"""A translator from the first command to the last: train, resume, evaluate, translate."""

import dataclasses
import io
import json
import random

import jax
import numpy as np
import pytest
from paired_texts import translator_config

import zoo
from zoo.__main__ import main
from zoo.data.loading import ParallelTexts
from zoo.data.parallel_batching import make_parallel_batch
from zoo.decoding.translation import MAX_SOURCE_TOKENS
from zoo.diagnostics.alignment import draw_alignment
from zoo.errors import UserError
from zoo.evaluation import translating
from zoo.special_tokens import END_ID
from zoo.tasks.registry import build_workload
from zoo.training.loop import train

WORDS = {"eins": "one", "zwei": "two", "drei": "three", "vier": "four", "Ende": "End"}


def sentence_pairs(count, seed=0):
    """Numbers in words; the target says them backwards, and never the last word of all."""
    draw = random.Random(seed)
    pairs = {}
    while len(pairs) < count:
        words = draw.choices(list(WORDS), k=draw.randint(1, 4))
        pairs[" ".join(words)] = " ".join(WORDS[word] for word in reversed(words))
    return list(pairs.items())


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    table = tmp_path_factory.mktemp("pairs") / "numbers.de-en.tsv"
    table.write_text("".join(f"{a}\t{b}\n" for a, b in sentence_pairs(400)), encoding="utf-8")
    return table


def config_of(corpus, **more):
    settings = {
        "data.batch_size": 32,
        "data.bucket_lengths": (8,),
        "model.embedding_size": 16,
        "model.hidden_size": 32,
        "optimizer.learning_rate": 0.01,
        "training.num_steps": 200,
        "training.checkpoint_every_steps": 200,
        "evaluation.every_steps": 200,
    }
    return translator_config(corpus, **(settings | more))


def test_shared_embeddings_of_two_vocabularies_are_refused(corpus):
    wanted = r"needs one vocabulary; use data\.share_vocabulary=True"
    with pytest.raises(UserError, match=wanted):
        build_workload(config_of(corpus, **{"model.share_embeddings": True}))


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "numbers"
    lines = []
    train(config_of(corpus), str(workdir), log=lines.append)
    return workdir, lines


@pytest.fixture(scope="module")
def checkpoint(run):
    return zoo.load(run[0])


def test_it_learns_and_shows_what_it_does(run):
    _, lines = run
    best = next(line for line in lines if line.startswith("best step"))
    assert float(best.split("BLEU ")[1].split(",")[0]) >= 80
    assert sum("    -> " in line for line in "\n".join(lines).split("\n")) == 3


def test_translations_and_what_was_looked_at(checkpoint):
    texts = ["eins zwei", "", "drei Ende vier", "zwei"]
    found = zoo.translate(checkpoint, texts, beam_size=3, n_best=2)
    assert [one.text for one in found] == ["two one", "", "four End three", "two"]
    assert [one.source for one in found] == texts
    assert found[0].source_tokens == ("eins", "zwei", "</s>")
    assert found[0].tokens == ("two", "one", "</s>")
    assert found[0].attention.shape == (3, 3)
    np.testing.assert_allclose(found[0].attention.sum(axis=1), 1, rtol=1e-5)
    assert found[0].attention[:2].argmax(axis=1).tolist() == [1, 0]
    assert len(found[0].others) == 1
    assert found[0].others[0][1] <= found[0].score < 0
    assert found[1].attention is None


@pytest.mark.slow
def test_mates_change_nothing_and_one_text_is_a_list_too(checkpoint):
    texts = [source for source, _ in sentence_pairs(70, seed=1)]
    together = zoo.translate(checkpoint, texts, beam_size=2)
    for number in (0, 69):
        (alone,) = zoo.translate(checkpoint, texts[number], beam_size=2)
        assert alone.text == together[number].text
        assert alone.score == pytest.approx(together[number].score, abs=1e-5)
        np.testing.assert_allclose(alone.attention, together[number].attention, atol=1e-5)


def test_drawn_translations_follow_the_seed(checkpoint):
    texts = ["eins zwei drei vier"] * 8
    options = {"temperature": 3.0}  # the beam size follows it
    first, again, other = (
        [one.text for one in zoo.translate(checkpoint, texts, seed=seed, **options)]
        for seed in (0, 0, 1)
    )
    assert first == again != other
    assert len(set(first)) > 1


def test_a_text_that_is_too_long_is_cut(checkpoint):
    (found,) = zoo.translate(checkpoint, "eins " * (MAX_SOURCE_TOKENS + 5), beam_size=1)
    assert found.is_cut
    assert len(found.source_tokens) == MAX_SOURCE_TOKENS + 1


def test_scores_of_pairs(checkpoint):
    pairs = sentence_pairs(40, seed=2)
    sources, targets = map(list, zip(*pairs, strict=True))
    links = [tuple((len(s.split()) - 1 - t, t) for t in range(len(s.split()))) for s in sources]
    score = zoo.evaluate_translator(checkpoint, ParallelTexts(sources, targets, links), beam_size=2)
    assert score.bleu >= 80
    assert score.translations[0] == targets[0]
    assert score.alignment_error_rate < 0.3
    assert "tok:13a" in score.signature
    upper = ParallelTexts(sources, [text.upper() for text in targets], links)
    raised = zoo.evaluate_translator(checkpoint, upper, beam_size=2)
    assert raised.bleu_lowercase == pytest.approx(score.bleu_lowercase)
    assert raised.bleu < 20
    rows = [
        [np.array([*vocabulary.encode(text), 2], np.int32) for text in texts[:3]]
        for vocabulary, texts in (
            (checkpoint.source_vocabulary, sources),
            (checkpoint.vocabulary, targets),
        )
    ]
    batch = make_parallel_batch(*rows, 8)
    logits = jax.jit(checkpoint.model.apply)(
        {"params": checkpoint.params}, batch.sources, batch.source_lengths, batch.inputs
    ).logits
    nats = 0.0
    for scores, words in zip(np.asarray(logits), rows[1], strict=True):
        for row, word in zip(scores, words, strict=False):
            nats -= np.log(np.exp(row[word]) / np.exp(row).sum())
    tokens = sum(len(target.split()) + 1 for _, target in pairs[:3])
    three = ParallelTexts(sources[:3], targets[:3], [()] * 3)
    few = zoo.evaluate_translator(checkpoint, three, beam_size=1)
    assert few.nats_per_token == pytest.approx(nats / tokens, abs=1e-4)
    assert few.alignment_error_rate is None


def test_the_command_translates_lines_in_order(run, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(
        "sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbfeins zwei\r\n\nvier\n"))
    )
    assert main(["translate", str(run[0]), "--beam_size=2"]) == 0
    assert capsys.readouterr().out == "two one\n\nfour\n"
    file = tmp_path / "source.txt"
    file.write_text("drei\nvier Ende\n", encoding="utf-8")
    picture = tmp_path / "alignment.png"
    flags = [f"--file={file}", "--json", "--n_best=2", f"--picture={picture}"]
    assert main(["translate", str(run[0]), *flags]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["text"] for record in records] == ["three", "End four"]
    assert len(records[1]["attention"]) == len(records[1]["tokens"]) == 3
    assert len(records[0]["others"]) == 1
    assert picture.stat().st_size > 5_000


def test_the_command_evaluates(run, corpus, capsys, tmp_path):
    flags = ["--split=test", f"--data_directory={corpus}", "--beam_size=1", "--json"]
    assert main(["evaluate", str(run[0]), *flags]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["bleu"] >= 70
    assert {"bleu_lowercase", "chrf", "signature", "perplexity", "num_examples"} <= set(record)
    source, target = tmp_path / "a.de", tmp_path / "a.en"
    source.write_text("eins zwei drei\nvier drei zwei eins\n", encoding="utf-8")
    target.write_text("three two one\none two three four\n", encoding="utf-8")
    flags = [f"--source={source}", f"--target={target}", "--json"]
    assert main(["evaluate", str(run[0]), *flags]) == 0
    assert json.loads(capsys.readouterr().out)["num_examples"] == 2
    target.write_text("one\n", encoding="utf-8")
    assert main(["evaluate", str(run[0]), *flags]) == 2
    error = capsys.readouterr().err
    assert "2" in error
    assert "1" in error


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["evaluate", "RUN", "--source=a"], "give both"),
        (
            ["evaluate", "RUN", "--text=a.txt"],
            "--text is not for a translator; give its sources and translations with --source=FILE",
        ),
        (["evaluate", "RUN", "--mode=stream"], "--mode is not for a translator; leave it out"),
        (
            ["evaluate", "toy_german_attention", "--data_directory=D"],
            "corpus toy_german reads no files; leave --data_directory=D out",
        ),
        (
            ["evaluate", "RUN", "--source=a.txt", "--target=a.txt", "--beam_size=0"],
            "beam_size is 0; use 1 to 1000",
        ),
        (["generate", "RUN"], "this is a translator, not a language model; use translate"),
        (["classify", "RUN", "a"], "this is a translator, not a classifier; use translate"),
        (["translate", "RUN", "a", "--beam_size=0"], "beam_size is 0; use 1 to 1000"),
        (["translate", "RUN", "a", "--beam_size=1001"], "beam_size is 1001; use 1 to 1000"),
        (["translate", "RUN", "a", "--picture=a.gif"], "a.gif is no name for a picture"),
        (["translate", "RUN", "caf\udce9"], "text 'caf\\udce9' is not UTF-8"),
        (["translate", "RUN", "a", "--n_best=2"], "--n_best needs --json"),
        (["translate", "RUN", "a", "--json", "--n_best=9"], "n_best is 9, but beam_size is 5"),
        (["translate", "RUN", "a", "--temperature=-1"], "temperature is -1.0"),
        (["translate", "RUN", "a", "--temperature=1", "--beam_size=2"], "use beam_size 1"),
        (["translate", "RUN", "a", "--length_penalty=nan"], "length_penalty is nan"),
        (["translate", "python_docs_lstm", "a"], "this is a language model, not a translator"),
        (["translate", "RUN", "eins " * 300, "--too_long=refuse"], "text 1 has more than 255"),
    ],
)
def test_one_clear_line(run, capsys, flags, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("text\n")
    assert main([flag.replace("RUN", str(run[0])) for flag in flags]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_words_that_the_model_does_not_know_are_told(run, capsys):
    assert main(["translate", str(run[0]), "eins", "zwei elf drei zehn", "neun"]) == 0
    error = capsys.readouterr().err
    assert error.startswith("note: 3 of the tokens read are not in the model's vocabulary (<unk>)")
    assert error.endswith(", the first in text 2\n")
    assert main(["translate", str(run[0]), "eins"]) == 0
    assert capsys.readouterr().err == ""


def test_what_editors_put_into_a_file_is_no_text(run, capsys, tmp_path):
    plain, other = tmp_path / "plain.de", tmp_path / "other.de"
    plain.write_bytes(b"eins zwei\ndrei\n")
    other.write_bytes(b"\xef\xbb\xbfeins zwei\r\ndrei\r\n")
    records = []
    for file in (plain, other):
        assert main(["translate", str(run[0]), f"--file={file}", "--json"]) == 0
        records.append(capsys.readouterr().out)
    assert records[0] == records[1]


def test_long_pairs_are_scored_in_small_batches():
    lengths = np.array([3, 600, 5, 130, 64, 64])
    plan = translating._plan(lengths)
    assert sorted(int(row) for chosen, _, _ in plan for row in chosen) == list(range(len(lengths)))
    for chosen, num_rows, num_steps in plan:
        assert len(chosen) <= num_rows
        assert lengths[chosen].max() <= num_steps
        assert num_rows == 1 or num_rows * num_steps**2 <= translating.MOST_ELEMENTS


def test_sources_that_are_cut_are_told(checkpoint):
    pairs = ParallelTexts(["eins " * 300, "eins"], ["one", "one"], [(), ()])
    with pytest.warns(UserWarning, match="1 sources have more than 255 tokens"):
        zoo.evaluate_translator(checkpoint, pairs, beam_size=1)


def test_the_picture_of_forty_words_and_none_without_attention(checkpoint, tmp_path):
    (found,) = zoo.translate(checkpoint, "eins zwei drei vier " * 10, beam_size=1)
    draw_alignment(tmp_path / "long.svg", found)
    assert (tmp_path / "long.svg").read_text().count("<g id=") > 80
    (empty,) = zoo.translate(checkpoint, "")
    with pytest.raises(UserError, match="there is no alignment to draw"):
        draw_alignment(tmp_path / "none.png", empty)
    assert not (tmp_path / "none.png").exists()


def test_settings_reach_the_task_and_long_pairs_are_left_out(corpus):
    settings = {"training.label_smoothing": 0.2, "training.scheduled_sampling_rate": 0.3}
    config = config_of(corpus, **settings, **{"data.max_tokens": 2, "data.batch_size": 8})
    workload = build_workload(config)
    assert workload.objective.label_smoothing == 0.2
    assert workload.objective.scheduled_sampling_rate == 0.3
    assert "training pairs have a side longer than 2 tokens and were left out" in workload.notes[0]
    batch = workload.batches.batch(epoch=0, index=0)
    assert max(batch.lengths.max(), batch.source_lengths.max()) == 3


@pytest.mark.parametrize("beam_size", [1, 2])
def test_a_translation_without_an_end_has_the_largest_length_of_its_source(checkpoint, beam_size):
    bias = np.array(checkpoint.params["output_bias"])
    bias[END_ID] = -1e9
    endless = checkpoint.with_params({**checkpoint.params, "output_bias": bias})
    found = zoo.translate(endless, ["eins", "eins zwei drei"], beam_size=beam_size)
    assert [len(one.tokens) for one in found] == [2 * 2 + 8, 2 * 4 + 8]


def test_a_lower_cased_translator_scores_lower_cased_pairs(checkpoint):
    lowered = dataclasses.replace(checkpoint, lowercase=True)
    upper, lower = (
        translating.force_targets(lowered, ParallelTexts([source], [target], [()]))
        for source, target in (("Eins ZWEI", "Two ONE"), ("eins zwei", "two one"))
    )
    assert upper.nats == lower.nats


def test_what_is_drawn_for_a_text_does_not_depend_on_the_lengths_of_the_others(checkpoint):
    texts, options = ["eins zwei drei vier", "eins zwei"] * 4, {"temperature": 3.0, "seed": 1}
    together = zoo.translate(checkpoint, texts, **options)
    alone = [
        zoo.translate(checkpoint, text, first_text=number, **options)[0]
        for number, text in enumerate(texts)
    ]
    assert [one.text for one in alone] == [one.text for one in together]


@pytest.mark.filterwarnings("always")
def test_evaluate_notes_other_pairs(run, corpus, tmp_path, capsys):
    other = tmp_path / corpus.name
    other.write_text("".join(f"{a}\t{b}\n" for a, b in sentence_pairs(400, seed=3)), "utf-8")
    for place, noted in ((corpus, False), (other, True)):
        flags = ["--split=test", f"--data_directory={place}", "--beam_size=1"]
        assert main(["evaluate", str(run[0]), *flags]) == 0
        err = capsys.readouterr().err
        assert ("the test split that was found is not the test split of the run" in err) == noted
