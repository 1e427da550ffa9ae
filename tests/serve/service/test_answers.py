"""What the service answers is what the package says, and every mistake is one clear line."""

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest

import zoo
from zoo.decoding.settings import GenerationSettings
from zoo.errors import UserError
from zoo.serve.service.forms import read_form, request_forms
from zoo.serve.service.settings import ServiceSettings


def results(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


def error(answer):
    """The one line that says what is wrong."""
    assert answer.headers["content-type"] == "application/json"
    record = answer.json()
    assert list(record) == ["error"]
    assert "\n" not in record["error"]
    return answer.status_code, record["error"]


def events(answer):
    """The server-sent events of an answer: pairs of a name and a record."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in answer.text.split("\n\n")[:-1]:
        name, data = block.split("\n")
        assert (name[:7], data[:6]) == ("event: ", "data: ")
        found.append((name[7:], json.loads(data[6:])))
    return found


PROMPTS = ["a net", "it reads", "", "a line reads the"]
DRAW = {"temperature": 0.9, "top_p": 0.9, "seed": 11, "max_tokens": 20, "stop": "length"}


def test_it_was_not_ready_before_it_was_compiled(running):
    assert error(running.early) == (503, "the models are being compiled; try again in a moment")
    assert running.early.headers["Retry-After"] == "1"


def test_texts_are_those_of_generate(ask, served):
    found = results(ask("generate", model="lstm", prompts=PROMPTS, **DRAW))
    expected = zoo.generate(served.load("lstm"), PROMPTS, **DRAW)
    assert [one["text"] for one in found] == expected
    assert [one["num_tokens"] for one in found] == [20] * 4
    assert [one["unknown"] for one in found] == [[], [], [], []]


def test_what_the_vocabulary_lacks_is_told(ask):
    (found,) = results(ask("generate", model="lstm", prompts=["a unheard net"], max_tokens=1))
    assert found["unknown"] == ["unheard"]


def test_a_text_is_the_same_whoever_else_is_served(ask, running):
    request = {"model": "characters", "prompts": ["a net"], "seed": 5, "max_tokens": 40}
    (alone,) = results(ask("generate", **request))
    others = [
        {"model": "characters", "prompts": ["it"] * (1 + seed % 3), "seed": seed, "top_k": seed}
        for seed in range(12)
    ]
    with ThreadPoolExecutor(16) as pool, httpx.Client(base_url=running.address) as client:

        def post(record):
            return results(client.post("/v1/generate", json=record, timeout=60))

        beside = [pool.submit(post, record) for record in [*others, request, *others, request]]
        found = [one.result() for one in beside]
    assert found[12] == found[-1] == [alone]
    assert found[:12] == found[13:25]


def test_a_stream_is_the_same_text_piece_by_piece(ask):
    request = {"model": "lstm", "prompts": PROMPTS[:2], **DRAW}
    head, *texts, end = events(ask("generate", stream=True, **request))
    assert head == ("start", {"model": "lstm", "unknown": [[], []]})
    assert end == ("end", {"num_tokens": 40})
    joined, finished = list(PROMPTS[:2]), [False, False]
    for name, piece in texts:
        assert name == "text"
        assert not finished[piece["index"]]
        joined[piece["index"]] += piece["text"]
        finished[piece["index"]] = piece["finished"]
    assert len(texts) == 2 * 3  # blocks of eight tokens
    assert finished == [True, True]
    assert joined == [one["text"] for one in results(ask("generate", **request))]


def test_labels_are_those_of_classify(ask, served):
    texts = ["a net reads", "", "it guesses the word", "a", "a line"]
    found = results(ask("classify", texts=texts, tokens=True))
    for record, expected in zip(found, zoo.classify(served.load("topics"), texts), strict=True):
        told = json.loads(json.dumps(expected.to_json()))
        for name in ("probabilities", "weights"):
            values, wanted = record.pop(name), told.pop(name)
            if isinstance(values, dict):
                values, wanted = list(values.values()), list(wanted.values())
            np.testing.assert_allclose(values, wanted, atol=1e-6)
        assert record == told
    assert "weights" not in results(ask("classify", texts=["a"]))[0]


def test_tags_are_those_of_tag(ask, served):
    texts = ["a net reads", " ", "it guesses a word, it", "."]
    found = results(ask("tag", texts=texts))
    for record, expected in zip(found, zoo.tag(served.load("names"), texts), strict=True):
        told = json.loads(json.dumps(expected.to_json()))
        np.testing.assert_allclose(
            record.pop("probabilities"), told.pop("probabilities"), atol=1e-6
        )
        assert record == told
    assert [span["text"] for record in found for span in record["spans"]]


def test_translations_are_those_of_translate(ask, served):
    texts = ["ein Netz liest", " ", "eine Zeile"]
    found = results(ask("translate", texts=texts, attention=True, length_penalty=0.5))
    wanted = zoo.translate(served.load("german"), texts, beam_size=2, length_penalty=0.5)
    for record, expected in zip(found, wanted, strict=True):
        told = json.loads(json.dumps(expected.to_json()))
        assert (record["source"], record["text"]) == (told["source"], told["text"])
        assert record["score"] == pytest.approx(told["score"], abs=1e-5)
        assert (record["attention"] is None) == (told["attention"] is None)
    assert "attention" not in results(ask("translate", texts=["ein Netz"]))[0]


def test_texts_of_many_clients_share_batches(ask, running):
    def batches():
        page = ask.client.get("/metrics").text
        lines = dict(line.rsplit(" ", 1) for line in page.splitlines() if line[0] != "#")
        name = 'zoo_batch_texts_%s{model="topics"}'
        return float(lines[name % "count"]), float(lines[name % "sum"])

    before = batches()
    start = threading.Barrier(8)
    with ThreadPoolExecutor(8) as pool, httpx.Client(base_url=running.address) as client:

        def post(number):
            start.wait(20)
            return results(client.post("/v1/classify", json={"texts": ["a"]}, timeout=60))

        assert len(list(pool.map(post, range(8)))) == 8
    count, total = np.subtract(batches(), before)
    assert total == 8
    assert count < 8


@pytest.mark.parametrize(
    ("use", "fields", "status", "reason"),
    [
        ("generate", {"prompts": ["a"]}, 400, "choose one of lstm, characters"),
        ("generate", {"model": "none", "prompts": ["a"]}, 404, "no model has this name"),
        ("generate", {"model": "topics", "prompts": ["a"]}, 400, "to classify with, not"),
        ("generate", {"model": "lstm"}, 400, "the field prompts is missing"),
        ("generate", {"model": "lstm", "prompts": "a"}, 400, 'a list such as ["a text"]'),
        ("generate", {"model": "lstm", "prompts": []}, 400, "prompts is []"),
        ("generate", {"model": "lstm", "prompts": ["a"] * 9}, 413, "9 texts; send at most 8"),
        ("generate", {"model": "lstm", "prompts": ["a" * 25]}, 413, "prompts[0] has 25 characters"),
        ("generate", {"model": "lstm", "prompts": [None]}, 400, "prompts[0] is null"),
        ("generate", {"model": "lstm", "prompts": ["a"], "max_tokens": 61}, 400, "use 1 to 60"),
        (
            "generate",
            {"model": "lstm", "prompts": ["a"], "temperature": 1e300},
            400,
            "use 0 to 100",
        ),
        ("generate", {"model": "lstm", "prompts": ["a"], "stream": 1}, 400, "true or false"),
        ("generate", {"model": "lstm", "prompts": ["a"], "x": 1}, 400, '"x" is not a field'),
        (
            "classify",
            {"texts": ["a"], "model": "german"},
            400,
            "to translate with, not to classify",
        ),
        ("translate", {"texts": ["a"], "beam_size": 5}, 400, "beam_size is 5; choose one of 2"),
        ("translate", {"texts": ["a"], "length_penalty": 9}, 400, "use 0 to 4"),
    ],
)
def test_a_mistake_is_one_clear_line(ask, use, fields, status, reason):
    found = error(ask(use, **fields))
    assert found[0] == status
    assert reason in found[1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -1.0},
        {"top_p": 0.0},
        {"top_k": -3},
        {"seed": -1},
        {"max_tokens": 0},
        {"stop": "never"},
    ],
)
def test_a_setting_is_refused_in_the_words_of_the_commands(ask, wrong):
    with pytest.raises(UserError) as refused:
        GenerationSettings(**wrong)
    found = error(ask("generate", model="lstm", prompts=["a"], **wrong))
    assert found == (400, str(refused.value))


@pytest.mark.parametrize("most", [60, 500])
def test_a_text_gets_the_tokens_that_generate_gives_it_as_far_as_the_service_allows(most):
    settings = ServiceSettings(max_tokens=most)
    values = read_form(b'{"prompts": ["a"]}', request_forms(settings)["generate"], settings)
    assert values["max_tokens"] == min(GenerationSettings.max_tokens, most)


def test_the_drawn_tokens_are_counted(ask):
    def count():
        page = ask.client.get("/metrics").text
        found = re.search(r'^zoo_tokens_total\{model="lstm"\} (\S+)$', page, re.MULTILINE)
        return float(found[1]) if found else 0.0

    before = count()
    answer = ask("generate", model="lstm", prompts=["a net", "it"], max_tokens=11, stop="length")
    assert [one["num_tokens"] for one in results(answer)] == [11, 11]
    assert count() == before + 22
