"""A run of several seeds, evaluated, reported and verified: the mean, the spread and each."""

import dataclasses
import json
import re
import shutil

import numpy as np
import pytest
from tiny_run import tiny_config

import zoo
from zoo.__main__ import main
from zoo.errors import UserError
from zoo.report.records import flatten
from zoo.report.seeds import expand, group_of, members_of, read_with_members, spreads

pytestmark = pytest.mark.usefixtures("optax_dtypes")
SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def several(corpus, tmp_path_factory):
    """A run of three seeds."""
    workdir = tmp_path_factory.mktemp("several") / "three"
    config = tiny_config(corpus, training__num_seeds=3, evaluation__report=True)
    zoo.train(config, workdir, log=lambda line: None)
    return workdir


@pytest.fixture
def command(capsys):
    def run(*words):
        code = main([str(word) for word in words])
        return (code, *capsys.readouterr())

    return run


def perplexities(several, corpus):
    lines = corpus.read_text().splitlines()
    return [zoo.perplexity(several / f"seed_{seed}", lines) for seed in SEEDS]


def test_evaluate_gives_each_and_their_mean_and_spread(several, corpus, command):
    text = f"--text={corpus}"
    code, out, err = command("evaluate", several, text, "--json")
    assert (code, err) == (0, "")
    record = json.loads(out)
    values = perplexities(several, corpus)
    assert [one["perplexity"] for one in record["runs"]] == pytest.approx(values)
    assert record["mean"]["perplexity"] == pytest.approx(np.mean(values))
    assert record["standard_deviation"]["perplexity"] == pytest.approx(np.std(values, ddof=1))
    assert "num_tokens" not in record["mean"]
    names = [several / f"seed_{seed}" for seed in SEEDS]
    assert command("evaluate", *names, text, "--json") == (code, out, err)
    lines = command("evaluate", several, text)[1].splitlines()
    assert [line.split()[0] for line in lines] == ["run", *map(str, names), "mean", "spread"]
    column = lines[0].split().index("perplexity")
    assert float(lines[-2].split()[column]) == pytest.approx(np.mean(values), abs=1e-4)


def test_a_score_on_the_test_split_is_in_the_report(several, corpus, command, tmp_path):
    several = shutil.copytree(several, tmp_path / "three")
    assert command("report", several)[0] == 0
    place = f"--data_directory={corpus}"
    code, out, _ = command("evaluate", several, "--split=test", place, "--json")
    assert code == 0
    seed, mean = json.loads(out)["runs"][1], json.loads(out)["mean"]
    page = (several / "report.html").read_text("utf-8")
    assert command("evaluate", several, place)[0] == 0  # on validation, which is not noted
    (line,) = (several / "seed_1" / "evaluations.jsonl").read_text().splitlines()
    assert json.loads(line)["scores"]["perplexity"] == seed["perplexity"]
    tested = page[page.index("Scores on the test split") :]
    assert f">{mean['perplexity']:,.5g}</td>" in tested[: tested.index("</section>")]


def test_report_shows_them_on_the_page_and_as_json(several, command):
    code, out, err = command("report", several, "--json")
    assert (code, err) == (0, "")
    record = json.loads(out)
    noted = [zoo.load(several / f"seed_{seed}").progress["best_scores"] for seed in SEEDS]
    values = [one["perplexity"] for one in noted]
    assert [one["run"] for one in record["runs"]] == [f"three/seed_{seed}" for seed in SEEDS]
    assert [one["scores"]["perplexity"] for one in record["runs"]] == values
    (group,) = record["seeds"]
    assert group["mean"]["perplexity"] == pytest.approx(np.mean(values))
    assert group["standard_deviation"]["perplexity"] == pytest.approx(np.std(values, ddof=1))
    code, out, _ = command("report", several)
    assert code == 0
    page = (several / "report.html").read_text("utf-8")
    assert out == f"{several / 'report.html'}\n"
    heads = re.findall(r"<th[^>]*>(three/seed_\d|mean|standard deviation)</th>", page)
    assert heads == [*(f"three/seed_{seed}" for seed in SEEDS), "mean", "standard deviation"]
    assert f">{np.mean(values):,.5g}</td>" in page


def test_only_runs_of_one_config_are_put_together(corpus, several, command, tmp_path):
    for name, cell, seed in (("a", "elman", 5), ("b", "gru", 5)):
        config = tiny_config(corpus, model__cell=cell, training__seed=seed)
        zoo.train(config, tmp_path / name, log=lambda line: None)
    words = [several / "seed_0", tmp_path / "a", tmp_path / "b"]
    record = json.loads(command("report", *words, "--json")[1])
    assert [one["run"] for one in record["runs"]] == ["seed_0", "a", "b"]
    assert [group["runs"] for group in record["seeds"]] == []  # their reports differ in a field
    configs = [zoo.load(path).config for path in words]
    assert flatten(configs[0])["evaluation.report"] != flatten(configs[1])["evaluation.report"]
    other = {**configs[1], "training": {**configs[1]["training"], "seed": 9}}
    assert group_of(configs[1]) == group_of(other) != group_of(configs[2])


def test_verify_measures_what_training_noted(several, corpus, command):
    place = f"--data_directory={corpus}"
    code, out, err = command("verify", several, place, "--json")
    assert (code, err) == (0, "")
    results = [json.loads(line) for line in out.splitlines()]
    single, spread = results[:-3], results[-3:]
    assert {one["verdict"] for one in single} == {"agrees"}
    assert [one["checkpoint"] for one in single[::3]] == [
        str(several / f"seed_{seed}") for seed in SEEDS
    ]
    values = [one["measured"] for one in single if one["measure"] == "perplexity"]
    (found,) = [one for one in spread if one["measure"] == "perplexity"]
    assert found["mean"] == pytest.approx(np.mean(values))
    assert found["standard_deviation"] == pytest.approx(np.std(values, ddof=1))
    out = command("verify", several, place)[1]
    assert re.search(r"^mean of 3 seeds  perplexity \(--split=validation .*\): \d", out, re.M)


def test_verify_tells_a_score_that_training_did_not_note(several, corpus, capsys):
    model = zoo.load(several / "seed_0")
    place = several.parent / "changed"
    params = {
        **model.params,
        "output_bias": model.params["output_bias"] + np.arange(1, len(model.vocabulary) + 1),
    }
    zoo.save(model.with_params(params), place)
    with pytest.raises(SystemExit):
        main(["verify", str(place), f"--data_directory={corpus}"])
    assert ": differs" in capsys.readouterr().out


def test_what_is_not_trained_to_its_end_or_has_rates_is_told(several, tmp_path, corpus):
    (tmp_path / "config.json").write_text((several / "config.json").read_text())
    with pytest.raises(UserError, match="has no models of its seeds yet; type its command again"):
        expand([str(tmp_path)])
    assert read_with_members(tmp_path).members == ()
    config = tiny_config(corpus, training__learning_rate_factors=(0.5, 1.0))
    (tmp_path / "config.json").write_text(config.to_json())
    with pytest.raises(
        UserError, match="holds runs of several learning rates; give the runs of one"
    ):
        members_of(tmp_path)
    with pytest.raises(UserError, match="several learning rates"):
        expand([str(tmp_path)])


def test_a_spread_is_that_of_a_sample():
    values = [3.0, 4.0, 8.0]
    spread = spreads([{"a": value, "b": 1.0} for value in values])["a"]
    assert spread.mean == 5
    assert spread.standard_deviation == pytest.approx(np.std(values, ddof=1))
    assert spread.values == (3, 4, 8)


def test_verify_tells_a_score_that_is_better_than_training_noted(several, corpus, capsys):
    model = zoo.load(several / "seed_0")
    noted = {name: 2 * value for name, value in model.progress["validation"].items()}
    place = several.parent / "noted"
    zoo.save(dataclasses.replace(model, progress=model.progress | {"validation": noted}), place)
    with pytest.raises(SystemExit):
        main(["verify", str(place), f"--data_directory={corpus}"])
    assert ": agrees" not in capsys.readouterr().out
