"""The API: what it answers is what the models say, and every mistake is one clear line."""

import asyncio
import dataclasses
import json
import re
import threading

import httpx
import jax
import numpy as np
import pytest

import zoo
from zoo.decoding.settings import GenerationSettings
from zoo.evaluation.interpolation import Mixture
from zoo.models.recurrent_lm import RecurrentLM
from zoo.serve import answers, app, bodies
from zoo.serve.app import make_app
from zoo.serve.failing import ClosingStream
from zoo.serve.fields import MAX_BODY_BYTES
from zoo.serve.limits import MOST_WAITING, RateLimit
from zoo.serve.models import ServedModels


class Client:
    """Calls the server without a network; what it raises is an answer, as in life."""

    def __init__(self, server):
        self._transport = httpx.ASGITransport(server, raise_app_exceptions=False)

    def get(self, path, **options):
        return self._ask("GET", path, **options)

    def post(self, path, **options):
        return self._ask("POST", path, **options)

    def _ask(self, method, path, **options):
        async def ask():
            address = f"http://127.0.0.1:8765{path}"
            async with httpx.AsyncClient(transport=self._transport) as client:
                return await client.request(method, address, **options)

        return asyncio.run(ask())


@pytest.fixture
def client(models, rate_limit):
    return Client(make_app(models, rate_limit=rate_limit))


def lines(answer):
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def error(answer):
    """The one line that says what is wrong."""
    assert answer.headers["content-type"] == "application/json"
    record = answer.json()
    assert list(record) == ["error"]
    assert "\n" not in record["error"]
    assert "Traceback" not in record["error"]
    return answer.status_code, record["error"]


@pytest.mark.parametrize(
    ("path", "kind"), [("/", "html"), ("/page.css", "css"), ("/page.js", "javascript")]
)
def test_the_page_has_three_files_and_says_what_it_may(client, path, kind):
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"text/{kind}; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'self';")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not any(name.startswith("access-control") for name in answer.headers)
    assert not re.search(r"https?:", answer.text)
    assert "innerHTML" not in answer.text


@pytest.mark.parametrize(
    "path",
    ["/api/", "/page.py", "/app.py", "/..%2fpyproject.toml", "/%2e%2e/README.md", "//etc/passwd"],
)
def test_nothing_else_is_served(client, path):
    status, reason = error(client.get(path))
    assert status == 404
    assert reason == "GET of this path: not found"


def test_the_models_and_the_limits_are_told(client, models):
    answer = client.get("/api/models").json()
    assert answer["models"] == models.listing()
    assert answer["limits"]["max_tokens"] == app.MAX_TOKENS


def test_a_text_is_that_of_generate_with_probabilities_of_the_model(client, models):
    request = {"model": "lstm", "prompt": "a net", "temperature": 0.7, "top_p": 0.9, "seed": 3}
    head, *tokens, end = lines(client.post("/api/generate", json=request | {"max_tokens": 20}))
    assert head == {"models": ["lstm"], "unknown": []}
    assert end == {"num_tokens": len(tokens)}
    lm = models.load("lstm")
    text = zoo.generate(lm, "a net", temperature=0.7, top_p=0.9, seed=3, max_tokens=20)
    assert "a net" + "".join(one["text"] for one in tokens) == text
    inputs = np.array([[1, *lm.vocabulary.encode("a net")]])
    logits = jax.jit(lm.model.apply)({"params": lm.params}, inputs).logits[0, -1]
    expected = dict(zip(lm.vocabulary.tokens, jax.nn.softmax(logits).tolist(), strict=True))
    first = tokens[0]
    found = {first["token"]: first["probability"]}
    found |= {one["token"]: one["probability"] for one in first["runners_up"]}
    assert len(found) == 6
    assert found == pytest.approx({name: expected[name] for name in found}, rel=1e-4)
    assert sum(expected.values()) == pytest.approx(1, abs=1e-5)


def test_the_defaults_are_those_of_generate(client, models):
    _, *tokens, _ = lines(client.post("/api/generate", json={"model": "characters"}))
    assert len(tokens) == GenerationSettings.max_tokens
    assert "".join(one["text"] for one in tokens) == zoo.generate(models.load("characters"))


def test_a_mixture_says_who_won(client, models):
    weights = {"gru": 3, "lstm": 1}
    request = {"mixture": weights, "prompt": "a unheard net", "max_tokens": 12, "seed": 1}
    head, *tokens, _ = lines(client.post("/api/generate", json=request))
    assert head == {"models": ["gru", "lstm"], "unknown": ["unheard"]}
    for one in tokens:
        mixed = 0.75 * one["parts"][0] + 0.25 * one["parts"][1]
        assert one["probability"] == pytest.approx(mixed, rel=1e-4)
        assert one["winner"] == int(one["parts"][1] > one["parts"][0])
    mixture = Mixture((models.load("gru"), models.load("lstm")), np.array([0.75, 0.25]))
    with pytest.warns(zoo.decoding.text.PromptWarning):
        text = zoo.generate(mixture, "a unheard net", max_tokens=12, seed=1)
    assert "a unheard net" + "".join(one["text"] for one in tokens) == text


def test_labels_are_those_of_classify(client, models):
    answer = client.post("/api/classify", json={"model": "topics", "text": "a net reads"}).json()
    (expected,) = zoo.classify(models.load("topics"), "a net reads")
    probabilities = {one["label"]: one["probability"] for one in answer["labels"]}
    assert probabilities == expected.probabilities
    assert list(probabilities.values()) == sorted(probabilities.values(), reverse=True)
    assert sum(probabilities.values()) == pytest.approx(1, abs=1e-5)
    chosen = [one["label"] for one in answer["labels"] if one["chosen"]]
    assert tuple(chosen) == expected.labels
    tokens = [(one["token"], one["weight"]) for one in answer["tokens"]]
    assert tokens == list(zip(expected.tokens, expected.weights, strict=True))


SOURCE = "def f(n): return n"
TAGGED = "  a net,  reads a line "


def test_tags_are_those_of_tag(client, models):
    answer = client.post("/api/tag", json={"model": "names", "text": TAGGED}).json()
    (expected,) = zoo.tag(models.load("names"), TAGGED)
    tokens = answer["tokens"]
    assert tuple(one["token"] for one in tokens) == expected.tokens
    assert tuple(one["tag"] for one in tokens) == expected.tags
    assert [one["probability"] for one in tokens] == pytest.approx(expected.probabilities)
    assert "".join(one["before"] + one["token"] for one in tokens) + answer["rest"] == TAGGED
    assert answer["rest"] == " "
    marks = answer["marks"]
    assert [mark["label"] for mark in marks] == [span.label for span in expected.spans]
    assert marks  # of this model and text
    for mark, span in zip(marks, expected.spans, strict=True):
        start = sum(len(one["before"] + one["token"]) for one in tokens[: mark["start"]])
        start += len(tokens[mark["start"]]["before"])
        end = sum(len(one["before"] + one["token"]) for one in tokens[: mark["end"]])
        assert (start, end) == (span.start, span.end)


def test_words_stand_where_the_tagger_found_them():
    """Not inside a keyword, which this tagger skips: the f of def, the n of return."""
    found = answers.tagged(ServedModels(["python_source_roles"]), "python_source_roles", SOURCE)
    starts, at = [], 0
    for one in found["tokens"]:
        at += len(one["before"])
        assert SOURCE[at:].startswith(one["token"])
        starts.append(at)
        at += len(one["token"])
    assert starts == [4, 6, 17]
    assert SOURCE[at:] == found["rest"]


def test_plain_tags_mark_each_token(client, models):
    answer = client.post("/api/tag", json={"model": "parts", "text": TAGGED}).json()
    (expected,) = zoo.tag(models.load("parts"), TAGGED)
    assert answer["marks"] == [
        {"start": number, "end": number + 1, "label": tag}
        for number, tag in enumerate(expected.tags)
    ]


@pytest.mark.parametrize("text", ["", " \n"])
def test_a_text_without_words_has_no_tags(client, text):
    answer = client.post("/api/tag", json={"model": "names", "text": text}).json()
    assert answer == {"tokens": [], "rest": text, "marks": [], "unknown": []}


@pytest.mark.parametrize(
    ("path", "name", "text"),
    [
        ("/api/classify", "topics", "a strange net"),
        ("/api/tag", "names", "a strange net"),
        ("/api/translate", "german", "ein strange Netz"),
    ],
)
def test_unknown_words_are_named(client, path, name, text):
    for given, unknown in ((text, ["strange"]), (text.replace("strange ", ""), [])):
        assert client.post(path, json={"model": name, "text": given}).json()["unknown"] == unknown


@pytest.mark.parametrize("name", ["german", "german_vector"])
def test_translations_are_those_of_translate(client, models, name):
    request = {"model": name, "text": "ein Netz liest", "beam_size": 3, "length_penalty": 0.5}
    answer = client.post("/api/translate", json=request).json()
    (expected,) = zoo.translate(
        models.load(name), "ein Netz liest", beam_size=3, length_penalty=0.5, n_best=3
    )
    assert answer["text"] == expected.text
    assert answer["source_tokens"] == ["ein", "Netz", "liest", "</s>"]
    assert tuple(answer["tokens"]) == expected.tokens
    pairs = [(one["text"], one["score"]) for one in answer["beam"]]
    assert pairs == [(expected.text, expected.score), *expected.others]
    assert len(pairs) == 3
    if name == "german":
        np.testing.assert_allclose(answer["attention"], expected.attention)
        np.testing.assert_allclose(np.sum(answer["attention"], axis=1), 1, atol=1e-5)
    else:
        assert answer["attention"] is None


def test_gradients_are_a_chart(client):
    text = "a net reads a line\n" * 12
    answer = client.post("/api/gradients", json={"model": "lstm", "text": text, "steps": 10}).json()
    assert answer["curves"] == ["h", "c"]
    assert (answer["reach"], answer["num_rows"]) == (10, 4)  # a power of two
    assert answer["svg"].startswith('<svg xmlns="http://www.w3.org/2000/svg" class="chart"')
    assert answer["svg"].count("<polyline") == 2


GENERATE, CLASSIFY = "/api/generate", "/api/classify"
TRANSLATE, GRADIENTS = "/api/translate", "/api/gradients"
TAG = "/api/tag"


@pytest.mark.parametrize(
    ("path", "request_", "status", "reason"),
    [
        (GENERATE, {}, 400, "the field model is missing"),
        (GENERATE, {"model": "none"}, 404, "no model has this name; choose one of lstm"),
        (GENERATE, {"model": "../lstm"}, 404, "no model has this name"),
        (GENERATE, {"model": ["lstm"]}, 400, 'model is ["lstm"]; it must be a text'),
        (GENERATE, {"model": "topics"}, 400, "topics is a model to classify with, not to generate"),
        (GENERATE, {"model": "names"}, 400, "names is a model to tag with, not to generate"),
        (TAG, {"model": "topics", "text": "a"}, 400, "topics is a model to classify with, not to"),
        (TAG, {"model": "names"}, 400, "the field text is missing"),
        (TAG, {"model": "names", "text": "x" * 2001}, 413, "send at most 2,000"),
        (
            TAG,
            {"model": "names", "text": "a", "seed": 1},
            400,
            '"seed" is not a field of this request; the fields are',
        ),
        (GENERATE, {"model": "lstm", "prompt": "x" * 2001}, 413, "send at most 2,000"),
        (GENERATE, {"model": "lstm", "max_tokens": 501}, 400, "max_tokens is 501; use 1 to 500"),
        (GENERATE, {"model": "lstm", "temperature": "hot"}, 400, "must be a number"),
        *(
            (GENERATE, {"model": "lstm", "top_p": top_p}, 400, "use a probability above 0 and at")
            for top_p in (0, -1, 2, 10**400)
        ),
        (GENERATE, {"model": "lstm", "seed": -1}, 400, "seed is -1"),
        (
            GENERATE,
            {"model": "lstm", "top_k": 3},
            400,
            '"top_k" is not a field of this request; the fields are model',
        ),
        (GENERATE, {"mixture": {"lstm": 1}}, 400, "a mixture has at least two models"),
        (GENERATE, {"mixture": {"lstm": 1, "none": 1}}, 404, "no model has this name"),
        (GENERATE, {"mixture": {"lstm": 1, "characters": 1}}, 400, "different vocabularies"),
        (GENERATE, {"mixture": {"lstm": 1, "topics": 1}}, 400, "to classify with"),
        (GENERATE, {"mixture": {"lstm": 0, "gru": 0}}, 400, "all weights of mixture are 0"),
        (
            GENERATE,
            {"mixture": {"lstm": 1, "gru": 1}, "model": "lstm"},
            400,
            '"model" is not a field',
        ),
        (CLASSIFY, {"model": "topics"}, 400, "the field text is missing"),
        (CLASSIFY, {"model": "german", "text": "a"}, 400, "to translate with, not to classify"),
        (CLASSIFY, {"model": "topics", "text": None}, 400, "text is null"),
        (TRANSLATE, {"model": "german", "text": " \n"}, 400, "text is empty"),
        (TRANSLATE, {"model": "german", "text": "a", "beam_size": 9}, 400, "use 1 to 8"),
        (TRANSLATE, {"model": "lstm", "text": "a"}, 400, "to generate with, not to translate"),
        (GRADIENTS, {"model": "counts", "text": "a"}, 400, "counts has no state"),
        (GRADIENTS, {"model": "lstm", "text": "a"}, 400, "too few to go 20 steps back"),
        (GRADIENTS, {"model": "lstm", "text": "a", "steps": 11}, 400, "one of 10, 20, 50, 100"),
    ],
)
def test_a_mistake_is_one_clear_line(client, path, request_, status, reason):
    found = error(client.post(path, json=request_))
    assert found[0] == status
    assert reason in found[1]


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"model": "lstm"}', "text/plain", 415),
        (b"model=lstm", "application/x-www-form-urlencoded", 415),
        (b" " * (MAX_BODY_BYTES + 1), "application/json", 413),
    ],
)
def test_a_body_that_is_none(client, content, kind, status):
    answer = client.post(CLASSIFY, content=content, headers={"Content-Type": kind})
    assert error(answer)[0] == status


def test_a_wrong_method_is_told(client):
    assert error(client.get(GENERATE)) == (405, "GET of this path: method not allowed")


def test_a_body_that_does_not_come_is_not_waited_for(client, monkeypatch):
    import anyio
    from starlette.requests import Request

    async def dawdle(self):
        await anyio.sleep(5)
        yield b"{}"

    monkeypatch.setattr(Request, "stream", dawdle)
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.01)
    assert error(client.post(CLASSIFY, json={}))[0] == 408


def test_a_foreign_host_is_refused(client):
    for path in ("/", "/api/models"):
        status, reason = error(client.get(path, headers={"Host": "evil.example"}))
        assert (status, "names another server" in reason) == (400, True)
    assert client.get("/", headers={"Host": "localhost:8765"}).status_code == 200


def test_too_many_requests_are_refused(models):
    server = make_app(models, rate_limit=RateLimit(burst=2, per_second=0.001))
    client = Client(server)
    request = {"model": "topics", "text": "a"}
    assert [client.post(CLASSIFY, json=request).status_code for _ in range(2)] == [200, 200]
    answer = client.post(CLASSIFY, json=request)
    assert error(answer)[0] == 429
    assert int(answer.headers["Retry-After"]) > 900
    assert client.get("/").status_code == 200


def test_posts_of_other_sites_use_up_nothing_of_the_users_rate(models):
    client = Client(make_app(models, rate_limit=RateLimit(burst=1, per_second=0.001)))
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        headers = {"Content-Type": kind, "Origin": "http://evil.example"}
        answer = client.post(CLASSIFY, content=b'{"model": "topics", "text": "a"}', headers=headers)
        assert error(answer)[0] == 415
    foreign = client.post(CLASSIFY, json={}, headers={"Host": "evil.example"})
    assert error(foreign)[0] == 400
    kind = {"Content-Type": "Application/JSON; charset=utf-8"}
    own = {"content": b'{"model": "topics", "text": "a"}', "headers": kind}
    assert [client.post(CLASSIFY, **own).status_code for _ in range(2)] == [200, 429]


async def ask_and_leave(server, path, record, leave):
    """Sends a request whose client leaves when the event is set; gives what he was sent."""
    body = json.dumps(record).encode()
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
    }
    messages = iter([{"type": "http.request", "body": body}])
    sent = []

    async def receive():
        if message := next(messages, None):
            return message
        await leave.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    await server(scope, receive, send)
    return sent


def answer_slowly(monkeypatch):
    """All answers wait for the event that is given; the list names those that were begun."""
    release, begun = threading.Event(), []

    def work(name):
        def begin(*arguments, **options):
            begun.append(name)
            release.wait(10)
            return {}

        return begin

    def texts(*arguments):
        begun.append("generated")
        yield {"models": ["lstm"]}

    for name in ("classified", "translated", "gradients"):
        monkeypatch.setattr(answers, name, work(name))
    monkeypatch.setattr(answers, "generated", texts)
    return release, begun


def test_work_of_a_client_who_left_is_not_begun(models, rate_limit, monkeypatch):
    release, begun = answer_slowly(monkeypatch)
    server = make_app(models, rate_limit=rate_limit)
    requests = {
        GENERATE: {"model": "lstm"},
        CLASSIFY: {"model": "topics", "text": "a"},
        TRANSLATE: {"model": "german", "text": "a"},
        GRADIENTS: {"model": "lstm", "text": "a"},
    }

    async def everything():
        stay, leave = asyncio.Event(), asyncio.Event()
        first = asyncio.create_task(ask_and_leave(server, CLASSIFY, requests[CLASSIFY], stay))
        while not begun:
            await asyncio.sleep(0.01)
        others = [
            asyncio.create_task(ask_and_leave(server, path, record, leave))
            for path, record in requests.items()
            for _ in range(2)
        ]
        await asyncio.sleep(0.1)
        leave.set()
        await asyncio.wait_for(asyncio.gather(*others), 10)  # though the first is not done
        assert not first.done()
        last = asyncio.create_task(ask_and_leave(server, TRANSLATE, requests[TRANSLATE], stay))
        await asyncio.sleep(0.05)
        release.set()
        sent = await asyncio.gather(first, last)
        assert [messages[0]["status"] for messages in sent] == [200, 200]

    asyncio.run(everything())
    assert begun == ["classified", "translated"]


def test_a_text_stops_when_its_reader_leaves(models, rate_limit, monkeypatch):
    made = []

    def endless(*arguments):
        while True:
            made.append(len(made))
            yield {"text": "a"}

    monkeypatch.setattr(answers, "generated", endless)
    monkeypatch.setattr(answers, "classified", lambda *arguments: {"done": len(made)})
    server = make_app(models, rate_limit=rate_limit)

    async def everything():
        leave, stay = asyncio.Event(), asyncio.Event()
        reading = asyncio.create_task(
            ask_and_leave(server, GENERATE, {"model": "lstm"}, leave),
        )
        while not made:
            await asyncio.sleep(0.01)
        leave.set()
        await asyncio.wait_for(reading, 10)
        record = {"model": "topics", "text": "a"}
        _, body = await asyncio.wait_for(ask_and_leave(server, CLASSIFY, record, stay), 10)
        return json.loads(body["body"])["done"]

    assert asyncio.run(everything()) == len(made)


def test_few_wait_and_the_others_are_told(models, rate_limit, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(answers, "classified", lambda *arguments: {"done": release.wait(10)})
    transport = httpx.ASGITransport(make_app(models, rate_limit=rate_limit))

    async def everything():
        request = {"model": "topics", "text": "a"}
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            waiting = [
                asyncio.create_task(client.post(CLASSIFY, json=request))
                for _ in range(1 + MOST_WAITING)
            ]
            await asyncio.sleep(0.2)
            refused = [
                await client.post(CLASSIFY, json=request),
                await client.post(GENERATE, json={"model": "lstm"}),
            ]
            release.set()
            return refused, await asyncio.gather(*waiting)

    refused, done = asyncio.run(everything())
    for answer in refused:
        assert error(answer) == (503, "the server is busy; try again in a moment")
        assert answer.headers["Retry-After"] == "1"
    assert [answer.json() for answer in done] == [{"done": True}] * (1 + MOST_WAITING)


def test_a_fault_of_the_server_is_told_without_its_inside(client, monkeypatch, caplog):
    def fail(*arguments):
        raise ZeroDivisionError("inside")

    monkeypatch.setattr(answers, "classified", fail)
    status, reason = error(client.post(CLASSIFY, json={"model": "topics", "text": "a"}))
    assert (status, reason) == (500, "the server failed; its terminal says why")
    assert "ZeroDivisionError" in caplog.text


def test_a_fault_in_the_middle_of_a_text_is_its_last_line(client, monkeypatch, caplog):
    def broken(*arguments):
        yield {"models": ["lstm"]}
        raise ZeroDivisionError

    monkeypatch.setattr(answers, "generated", broken)
    *_, last = lines(client.post(GENERATE, json={"model": "lstm"}))
    assert last == {"error": "the server failed; its terminal says why"}
    assert "ZeroDivisionError" in caplog.text


def test_a_text_whose_reader_left_at_once_is_closed():
    async def rest():
        yield {"models": ["lstm"]}
        yield {"text": "a"}

    async def everything():
        stream = rest()
        first = await anext(stream)
        lines = ClosingStream(app._json_lines(first, stream), stream, "application/x-ndjson")

        async def leave():
            return {"type": "http.disconnect"}

        async def send(message):
            await asyncio.sleep(20)

        await asyncio.wait_for(lines({"type": "http"}, leave, send), 10)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    asyncio.run(everything())


class Loaded:
    """Served models, whatever is asked for."""

    def __init__(self, checkpoint):
        self._checkpoint = checkpoint

    def load(self, name):
        del name
        return self._checkpoint


@pytest.mark.parametrize(("threshold", "is_chosen"), [(0.0, True), (2.0, False)])
def test_of_several_labels_all_or_none_may_be_chosen(models, threshold, is_chosen):
    topics = models.load("topics")
    labels = dataclasses.replace(topics.labels, multiple=True)
    several = dataclasses.replace(topics, labels=labels, thresholds=np.full(len(labels), threshold))
    found = answers.classified(Loaded(several), "topics", "a net reads")
    assert [one["chosen"] for one in found["labels"]] == [is_chosen] * len(labels)


def test_unknown_words_of_a_lower_cased_translator_are_those_it_reads(models):
    german = dataclasses.replace(models.load("german"), lowercase=True)
    found = answers.translated(
        Loaded(german), "german", "EIN Netz LIEST", beam_size=1, length_penalty=1.0
    )
    assert found["unknown"] == ["netz"]  # its vocabulary has Netz


def test_the_reach_of_a_gradient_is_that_of_training_and_not_what_is_shown(models):
    lstm = models.load("lstm")
    config = dataclasses.replace(lstm.model.config, truncation=3)
    cut = dataclasses.replace(lstm, model=RecurrentLM(config, lstm.model.vocabulary_size))
    found = answers.gradients(Loaded(cut), "lstm", "a net reads a line\n" * 12, steps=10)
    assert found["reach"] == 3
