"""The page: what stands on it, and that a browser shows all of it without complaint."""

import html.parser
import json
import re

import numpy as np
import pytest
from accessibility import FAULTS
from browser import CHROMIUM, Browser
from run_records import write_run

from zoo.__main__ import main
from zoo.data.labels import make_labels
from zoo.diagnostics.classification_figures import classification_figures
from zoo.diagnostics.figures import alignment_figure, gradient_figure
from zoo.diagnostics.gradient_flow import GradientFlow
from zoo.evaluation.classification import score_probabilities
from zoo.report.charts import Series, line_chart
from zoo.report.curves import draw_curves
from zoo.report.page import write_report
from zoo.report.runs import Curve, Record
from zoo.report.sessions import SESSIONS, add_line, note_evaluation, read_evaluations

# The texts of a page's pictures that reach beyond their picture.
CUT = """[...document.querySelectorAll("svg text")].filter((text) => {
  const inner = text.getBoundingClientRect();
  const outer = text.ownerSVGElement.getBoundingClientRect();
  return inner.left < outer.left - 1 || inner.right > outer.right + 1 ||
         inner.top < outer.top - 1 || inner.bottom > outer.bottom + 1;
}).map((text) => text.textContent)"""


def label_figures(*, multiple):
    """The figures of a classifier of four texts, two of which get a wrong label."""
    names = [[f"label <{number}>"] for number in range(3)]
    labels = make_labels(names, multiple=multiple)
    targets = np.eye(3)[[0, 1, 2, 2]]
    probabilities = np.array([[0.9, 0.1, 0], [0.1, 0.8, 0.1], [0.7, 0.2, 0.1], [0.5, 0.1, 0.4]])
    thresholds = np.full(3, 0.45)
    score = score_probabilities(probabilities, targets, labels, thresholds)
    texts = ["first", "second", "the hardest <text> " + "w " * 200, "fourth"]
    return classification_figures(score, probabilities, targets, labels, thresholds, texts)


def figures():
    """One of every kind that a task gives."""
    flow = GradientFlow(
        hidden=np.exp(-np.arange(12.0))[None] * [[1.0], [0.1]],
        memory=np.exp(-np.arange(12.0) / 4)[None] * [[1.0], [0.1]],
        reach=12,
    )

    class Attended:
        source_tokens, tokens = ("der", "unwahrscheinlich lange", "</s>"), ("the", "long", "</s>")
        attention = np.eye(3, dtype=np.float32)

    return [
        gradient_figure(flow),
        *label_figures(multiple=False),
        *label_figures(multiple=True),
        alignment_figure(Attended()),
    ]


def make_run(directory, rate=0.1, **more):
    """A run with curves, a sample, every kind of figure, and text that HTML would take for tags."""
    metrics = []
    for step in range(10, 110, 10):
        train = {"loss_nats": 400 / step, "learning_rate": rate, "tokens_per_second": 12345678}
        metrics.append({"step": step, "split": "train", **train})
        validation = {"perplexity": 1e5 / step, "threshold.joy": 0.5}
        metrics.append({"step": step, "split": "validation", **validation})
    config = {
        "data": {"corpus": "text_file", "directory": "<my> & co"},
        "model": {"architecture": "recurrent_lm", "cell": "gru"},
        "optimizer": {"learning_rate": rate},
    }
    write_run(directory, config=config, metrics=metrics)
    sample = {"step": 100, "sample": "<b>not bold</b>\nand a very long line: " + "word " * 60}
    (directory / "samples.jsonl").write_text(json.dumps(sample) + "\n")
    summary = {"best_step": 100, "scores": {"perplexity": 1000.0, "threshold.joy": 0.5}}
    (directory / "summary.json").write_text(json.dumps(summary | {"figures": figures()} | more))
    return directory


class Reader(html.parser.HTMLParser):
    """The text of a page, and whether every tag is closed."""

    VOID = ("meta",)

    def __init__(self, page):
        super().__init__()
        self.text, self.open, self.addresses = "", [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.addresses += [value for name, value in attributes if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_a_page_shows_scores_curves_figures_samples_and_config(tmp_path):
    path = write_report([make_run(tmp_path / "run")])
    assert path == tmp_path / "run" / "report.html"
    page = path.read_text("utf-8")
    reader = Reader(page)
    assert (reader.open, reader.addresses) == ([], [])
    assert "http" not in page
    for text in (
        "recurrent_lm on text_file",
        "validation perplexity",
        "Constant: learning rate 0.1",
        "tokens per second",
        "Gradient through time",
        "c of layer 2",
        "label <2>",
        "unwahrscheinlich lange",
        "<b>not bold</b>",
        "<my> & co",
        "Scores of each label, the lowest F1 first",
        "Most confused pairs of labels",
        "the hardest <text>",
    ):
        assert text in reader.text, text
    assert "threshold" not in reader.text  # of a label each: too many to be of use here
    assert re.search(r"best step\s*100\s*perplexity\s*1,000", reader.text)


def test_a_curve_goes_through_its_points(tmp_path):
    page = write_report([make_run(tmp_path / "run")]).read_text("utf-8")
    (chart,) = re.findall(r"<figcaption>loss, nats.*?</figure>", page, re.DOTALL)
    (line,) = re.findall(r'points="([^"]*)"', chart)
    points = np.array([point.split(",") for point in line.split()], float)
    steps = np.arange(10, 110, 10)
    for values, places in ((steps, points[:, 0]), (400 / steps, -points[:, 1])):
        slope, _ = np.polyfit(values, places, 1)
        assert slope > 0
        np.testing.assert_allclose(np.diff(places), slope * np.diff(values), atol=0.11)


def test_runs_are_compared(tmp_path, capsys):
    runs = [make_run(tmp_path / name, rate) for name, rate in (("slow", 0.1), ("fast", 0.5))]
    output = tmp_path / "both.html"
    assert main(["report", *map(str, runs), f"--output={output}"]) == 0
    assert capsys.readouterr().out == f"{output}\n"
    reader = Reader(output.read_text("utf-8"))
    assert re.search(
        r"Differing settings\s*field\s*slow\s*fast\s*optimizer.learning_rate\s*0.1\s*0.5",
        reader.text,
    )
    assert reader.text.count("slow: 40 at 10") == 1  # the first loss, on hover
    assert "Inside slow" in reader.text
    assert "Inside fast" in reader.text


def test_two_runs_of_one_name_are_told_apart(tmp_path):
    runs = []
    for parent in ("a", "b"):
        (tmp_path / parent).mkdir()
        runs.append(make_run(tmp_path / parent / "run"))
    reader = Reader(write_report(runs, tmp_path / "both.html").read_text("utf-8"))
    assert "run (1)" in reader.text
    assert "run (2)" in reader.text


def test_a_run_that_goes_on_has_a_page(tmp_path):
    run = make_run(tmp_path / "run")
    (run / "summary.json").unlink()
    reader = Reader(write_report([run]).read_text("utf-8"))
    assert re.search(r"not finished; step\s*100\s*perplexity\s*1,000", reader.text)


def test_a_finished_run_without_a_summary_is_not_called_unfinished(tmp_path):
    metrics = [{"step": 100, "split": "validation", "perplexity": 7.0}]
    config = {"training": {"num_steps": 100}}
    run = write_run(tmp_path / "run", config=config, metrics=metrics)
    text = Reader(write_report([run]).read_text("utf-8")).text
    assert re.search(r"last step\s*100\s*perplexity\s*7", text)
    assert "not finished" not in text


def test_the_command_the_duration_and_the_test_scores_are_told(tmp_path):
    run = make_run(tmp_path / "run")
    text = Reader(write_report([run]).read_text("utf-8")).text
    assert "The training took" not in text
    assert "test split" not in text
    for step, seconds, command in ((50, 61.0, "zoo train <a>"), (100, 64.5, "zoo train <b>")):
        add_line(run, SESSIONS, {"step": step, "seconds": seconds, "command": command})
    measured = {"step": 100, "split": "test", "mode": "stream", "perplexity": 9.0, "num_tokens": 5}
    (run / "checkpoints").mkdir()
    assert note_evaluation(run, measured)
    assert note_evaluation(run, measured | {"perplexity": 8.5})  # replaces the first measurement
    assert note_evaluation(run, measured | {"mode": "sentence", "cache_weight": 0.25})
    for adapted in ({"dynamic": "rms"}, {"dynamic": "sgd"}, {"cache": 500}, {"cache": 3000}):
        assert note_evaluation(run, measured | adapted)
    assert not note_evaluation(tmp_path, measured)
    assert all(set(one.scores) == {"perplexity"} for one in read_evaluations(run))
    text = Reader(write_report([run]).read_text("utf-8")).text
    assert "zoo train <b>" in text
    assert "The training took 2 min 6 s in 2 sessions." in text
    assert re.search(r"mode stream\s*score\s*run\s*step\s*100\s*perplexity\s*8.5\s", text)
    for adapted in ("dynamic rms", "dynamic sgd", "cache 500", "cache 3000"):
        assert f"mode stream, {adapted}" in text
    assert re.search(r"mode sentence, cache weight 0.25\s*score\s*run\s*step", text)
    assert "num tokens" not in text


def curves(page, title):
    """The points of each polyline and polygon of the chart with a title."""
    (chart,) = re.findall(rf"<figcaption>{title}[^<]*</figcaption>.*?</figure>", page, re.DOTALL)
    shapes = re.findall(r'<(polyline|polygon) class="([^"]*)" points="([^"]*)"', chart)
    return [
        (kind, names.split(), np.array([point.split(",") for point in points.split()], float))
        for kind, names, points in shapes
    ]


def test_training_and_validation_share_a_chart_and_constants_are_told(tmp_path):
    metrics = []
    for step in (10, 20, 30):
        metrics.append({"step": step, "split": "train", "loss_nats": 50 / step, "same": 0.25})
        metrics.append({"step": step, "split": "validation", "nats_per_text": 60 / step})
    page = write_report([write_run(tmp_path / "run", metrics=metrics)]).read_text("utf-8")
    (_, training, _), (_, validation, _) = curves(page, "loss, nats per target")
    assert "dashed" in training
    assert "dashed" not in validation
    assert page.count("<figure>") == 1
    assert "Constant: train, same 0.25." in Reader(page).text


def test_runs_of_several_seeds_are_a_mean_in_a_band(tmp_path):
    values = {0: [5.0, 3.0], 1: [7.0, 3.5]}
    runs = []
    for seed, own in values.items():
        metrics = [
            {"step": step, "split": "validation", "perplexity": value}
            for step, value in zip((10, 20), own, strict=True)
        ]
        config = {"training": {"seed": seed}}
        runs.append(write_run(tmp_path / f"run_{seed}", config=config, metrics=metrics))
    page = write_report(runs, tmp_path / "page.html").read_text("utf-8")
    (band, _, edge), (line, _, mean) = curves(page, "validation perplexity")
    assert (band, line) == ("polygon", "polyline")
    assert "mean of run_0, run_1" in page
    scale = (mean[1, 1] - mean[0, 1]) / (3.25 - 6.0)
    spread = np.array([np.std([5, 7], ddof=1), np.std([3, 3.5], ddof=1)])
    np.testing.assert_allclose(edge[:2, 1], mean[:, 1] - scale * spread, atol=0.11)
    np.testing.assert_allclose(edge[:1:-1, 1], mean[:, 1] + scale * spread, atol=0.11)


@pytest.mark.parametrize("rates", [("",), ("_rate_x1", "_rate_x2")])
def test_the_seeds_of_one_run_are_a_mean_in_a_band_for_each_rate(tmp_path, rates):
    metrics = []
    for step in (10, 20):
        seeds = {f"seed_0{rate}": 1 / step + at for at, rate in enumerate(rates)}
        seeds |= {f"seed_1{rate}": 3 / step + at for at, rate in enumerate(rates)}
        scores = {"error": 2 / step, "accuracy": 1 - 2 / step}
        metrics.append({"step": step, "split": "validation", **scores, **seeds})
    page = write_report([write_run(tmp_path / "run", metrics=metrics)]).read_text("utf-8")
    title = "validation, error" + (", by learning rate" if len(rates) > 1 else "")
    found = [kind for kind, _, _ in curves(page, title)]
    assert found == ["polygon", "polyline"] * len(rates)
    assert "A band reaches from one standard deviation" in page
    assert ("learning rate x 2" in page) == (len(rates) > 1)
    assert "validation, seed 0" not in page


def test_mistakes_are_one_line(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 2
    assert "is no run: it has no config.json" in capsys.readouterr().err
    run = str(make_run(tmp_path / "run"))
    assert main(["report", run, run]) == 2
    assert "give --output=FILE.html" in capsys.readouterr().err
    assert main(["report", run, f"--output={tmp_path}/none/page.html"]) == 2
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
def test_a_browser_shows_all_of_it_and_nothing_keeps_people_from_reading_it(tmp_path):
    runs = [make_run(tmp_path / name, rate) for name, rate in (("slow", 0.1), ("fast", 0.5))]
    browser = Browser(tmp_path / "profile")
    try:
        for chosen, width, dark in ((runs[:1], 390, True), (runs, 1280, False)):
            page = write_report(chosen, tmp_path / "page.html")
            browser.open(page.as_uri(), width=width, dark=dark)
            assert browser.run(CUT) == []
            assert browser.cut_texts() == []
            assert browser.run(FAULTS) == []
            assert browser.run(CONTRASTS) == []
            assert browser.complaints == []
    finally:
        browser.close()


# The texts in cells of heat maps whose contrast is below 4.5, see WCAG 2.2, 1.4.3.
CONTRASTS = """[...document.querySelectorAll("svg .inside")].flatMap((text) => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => colour.map((value) => value / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0.05);
  const cell = text.previousElementSibling;
  const part = Number(getComputedStyle(cell).fillOpacity);
  const below = numbers(getComputedStyle(text.closest("figure")).backgroundColor);
  const own = numbers(getComputedStyle(cell).fill);
  const mixed = light(below.map((value, at) => value * (1 - part) + own[at] * part));
  const above = light(numbers(getComputedStyle(text).fill));
  const contrast = Math.max(mixed, above) / Math.min(mixed, above);
  return contrast < 4.4 ? [`${text.textContent}: ${contrast}`] : [];
})"""


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
def test_the_texts_of_a_heat_map_can_be_read_at_every_strength(tmp_path):
    values = [[number / 40 for number in range(41)]]
    columns = [str(number) for number in range(41)]
    figure = {"kind": "heat_map", "title": "map", "rows": ["a"], "columns": columns}
    run = make_run(tmp_path / "run", figures=[figure | {"values": values, "texts": [columns]}])
    browser = Browser(tmp_path / "profile")
    try:
        for dark in (False, True):
            browser.open(write_report([run]).as_uri(), width=1280, dark=dark)
            assert browser.count("svg .inside") == 41
            assert browser.run(CONTRASTS) == []
    finally:
        browser.close()


def test_the_last_number_of_an_axis_is_not_cut():
    chart = line_chart([Series("loss", [0, 1_200_000], [1.0, 2.0])], "step", "nats")
    width = float(re.search(r'viewBox="0 0 (\d+)', chart)[1])
    ticks = re.findall(r'<text x="([\d.]+)" y="\d+" class="middle">([\d.,M]+)</text>', chart)
    assert ticks[-1][1] == "1.2M"
    assert all(float(x) + 6.7 * len(text) / 2 <= width for x, text in ticks)


def test_seeds_are_averaged_over_the_steps_that_all_of_them_have():
    def record(seed, steps):
        values = [float(step * (seed + 1)) for step in steps]
        curves = {("validation", "perplexity"): Curve(steps, values)}
        return Record(f"seed_{seed}", {"training": {"seed": seed}}, curves, [], {})

    (chart,) = draw_curves([record(0, [1, 2, 3]), record(1, [1, 3])]).charts
    (mean,) = chart.series
    assert (mean.x, mean.y) == ([1, 3], [1.5, 4.5])


def test_a_long_curve_is_drawn_to_its_end():
    ends = []
    for y in ([0.0, 1.0], [0.0] * 4999 + [1.0]):
        chart = line_chart([Series("loss", list(range(len(y))), y)], "step", "loss")
        (points,) = re.findall(r'<polyline [^>]*points="([^"]*)"', chart)
        ends.append(points.split()[-1])
    assert ends[0] == ends[1]


def test_a_run_that_goes_on_has_the_scores_of_its_last_evaluation_alone(tmp_path):
    metrics = [
        {"step": 10, "split": "validation", "perplexity": 9.0, "other_score": 3.0},
        {"step": 20, "split": "validation", "perplexity": 8.0},
    ]
    config = {"training": {"num_steps": 100}}
    run = write_run(tmp_path / "run", config=config, metrics=metrics)
    text = Reader(write_report([run]).read_text("utf-8")).text
    assert re.search(r"not finished; step\s*20\s*perplexity\s*8", text)
    assert "other score" not in text
