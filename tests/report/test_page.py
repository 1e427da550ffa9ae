"""The page: what stands on it, and that a browser shows all of it without complaint."""

import html.parser
import json
import re
import subprocess

import numpy as np
import pytest
from browser import CHROMIUM, FLAGS
from run_records import write_run

from zoo.__main__ import main
from zoo.diagnostics.figures import alignment_figure, confusion_figure, gradient_figure
from zoo.diagnostics.gradient_flow import GradientFlow
from zoo.evaluation.classification import ClassificationScore, LabelScore
from zoo.report.charts import Series, line_chart
from zoo.report.page import write_report

# Says in the page's title which texts of it reach beyond their picture or the window.
PROBE = """<script>
const cut = [];
for (const text of document.querySelectorAll("svg text")) {
  const inner = text.getBoundingClientRect();
  const outer = text.ownerSVGElement.getBoundingClientRect();
  if (inner.left < outer.left - 1 || inner.right > outer.right + 1 ||
      inner.top < outer.top - 1 || inner.bottom > outer.bottom + 1) cut.push(text.textContent);
}
if (document.documentElement.scrollWidth > window.innerWidth) cut.push("the page is too wide");
document.title = "cut:" + JSON.stringify(cut);
</script>"""


def figures():
    """One of every kind that a task gives."""
    flow = GradientFlow(
        hidden=np.exp(-np.arange(12.0))[None] * [[1.0], [0.1]],
        memory=np.exp(-np.arange(12.0) / 4)[None] * [[1.0], [0.1]],
        reach=12,
    )
    labels = tuple(LabelScore(f"label <{n}>", 0.5, 0.25, 1 / 3, 4) for n in range(3))
    rest = (0.5, 0.5, 0.4, 0.4, 0.1, 0.3)
    counts = np.array([[3, 1, 0], [0, 4, 0], [1, 1, 2]])
    single = ClassificationScore(12, *rest, labels, counts)
    several = ClassificationScore(12, *rest, labels, None)

    class Attended:
        source_tokens, tokens = ("der", "unwahrscheinlich lange", "</s>"), ("the", "long", "</s>")
        attention = np.eye(3, dtype=np.float32)

    return [
        gradient_figure(flow),
        confusion_figure(single),
        confusion_figure(several),
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
        "learning rate",
        "tokens per second",
        "Gradient through time",
        "c of layer 2",
        "label <2>",
        "unwahrscheinlich lange",
        "<b>not bold</b>",
        "<my> & co",
    ):
        assert text in reader.text, text
    assert "threshold" not in reader.text  # of a label each: too many to be of use here
    assert re.search(r"best step\s*100\s*perplexity\s*1,000", reader.text)


def test_a_curve_goes_through_its_points(tmp_path):
    page = write_report([make_run(tmp_path / "run")]).read_text("utf-8")
    (chart,) = re.findall(r"<figcaption>training loss.*?</figure>", page, re.DOTALL)
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
        r"Differing settings\s*slow\s*fast\s*optimizer.learning_rate\s*0.1\s*0.5", reader.text
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


def test_mistakes_are_one_line(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 2
    assert "is no run: it has no config.json" in capsys.readouterr().err
    run = str(make_run(tmp_path / "run"))
    assert main(["report", run, run]) == 2
    assert "give --output=FILE.html" in capsys.readouterr().err
    assert main(["report", run, f"--output={tmp_path}/none/page.html"]) == 2
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_all_of_it(tmp_path, width):
    runs = [make_run(tmp_path / name, rate) for name, rate in (("slow", 0.1), ("fast", 0.5))]
    for number, chosen in enumerate((runs[:1], runs)):
        page = write_report(chosen, tmp_path / f"{number}.html").read_text("utf-8")
        (tmp_path / f"{number}.html").write_text(page.replace("</body>", PROBE + "</body>"))
        done = subprocess.run(
            [
                str(CHROMIUM),
                *FLAGS,
                "--enable-logging=stderr",
                f"--user-data-dir={tmp_path / 'profile'}",
                f"--window-size={width},900",
                "--dump-dom",
                (tmp_path / f"{number}.html").as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        assert "CONSOLE" not in done.stderr
        (told,) = re.findall(r"<title>cut:(.*?)</title>", done.stdout)
        assert json.loads(html.unescape(told)) == []


def test_the_last_number_of_an_axis_is_not_cut():
    chart = line_chart([Series("loss", [0, 1_200_000], [1.0, 2.0])], "step", "nats")
    width = float(re.search(r'viewBox="0 0 (\d+)', chart)[1])
    ticks = re.findall(r'<text x="([\d.]+)" y="\d+" class="middle">([\d.,M]+)</text>', chart)
    assert ticks[-1][1] == "1.2M"
    assert all(float(x) + 6.7 * len(text) / 2 <= width for x, text in ticks)
