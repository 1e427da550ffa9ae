"""What keeps a service to its work: hosts, origins, tokens, rates, limits, and hostile requests."""

import contextlib
import json
import random
import socket
import string
import time
from pathlib import Path

import httpx
import pytest
from running_service import Running

from zoo.errors import UserError
from zoo.serve.limits import RateLimit
from zoo.serve.service.app import _TokenGate
from zoo.serve.service.settings import ServiceSettings

ROOT = Path(__file__).parents[3]
TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def strict(served, few_sizes):
    """A service with a token, another name and a rate; it may not be ready."""
    service = Running(served, token=TOKEN, allow_host=("Models.Example.org",), rate=0.001, burst=4)
    yield service
    service.stop()


def get(service, path, **headers):
    return httpx.get(f"{service.address}{path}", headers=headers, timeout=60)


def test_only_its_own_names_are_answered(strict):
    assert get(strict, "/health", Host="evil.example").status_code == 400
    for name in ("models.example.org", "MODELS.example.org:80", "localhost:1"):
        assert get(strict, "/health", Host=name).status_code == 200


def test_a_page_of_another_site_is_refused(strict):
    for origin in ("https://evil.example", "null", "https://models.example.org.evil.example"):
        answer = get(strict, "/health", Origin=origin)
        assert (answer.status_code, list(answer.json())) == (403, ["error"])
    own = {"Origin": "https://models.example.org"}
    assert get(strict, "/health", **own).status_code == 200
    assert "access-control-allow-origin" not in get(strict, "/health", **own).headers


def test_what_tells_nothing_needs_no_token(strict):
    for path in ("/health", "/docs", "/docs.css", "/openapi.json"):
        assert get(strict, path).status_code == 200
    assert get(strict, "/ready").status_code in (200, 503)
    assert get(strict, "/").headers["location"] == "/docs"


@pytest.mark.parametrize(
    "given", ["", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}0", TOKEN]
)
def test_a_wrong_token_is_refused(strict, given):
    for path in ("/v1/models", "/metrics", "/nowhere"):
        answer = get(strict, path, Authorization=given)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert "Authorization: Bearer TOKEN" in answer.json()["error"]


def test_the_token_opens_it(strict):
    for kind in ("Bearer", "bearer"):
        assert get(strict, "/v1/models", Authorization=f"{kind} {TOKEN}").status_code == 200


def test_requests_beyond_the_rate_are_refused(strict):
    with httpx.Client(base_url=strict.address) as client:
        answers = [client.post("/v1/classify", json={}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 4 + [429] * 2
    assert int(answers[-1].headers["Retry-After"]) > 100


def test_settings_make_no_limit_or_one_and_hide_the_token():
    assert ServiceSettings().make_rate_limit() is None
    assert isinstance(ServiceSettings(rate=2.0).make_rate_limit(), RateLimit)
    assert TOKEN not in repr(ServiceSettings(token=TOKEN))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_waiting": 16}, "max_texts is 32, but max_waiting is 16"),
        ({"timeout": 0.0}, "timeout is 0; use a number of seconds"),
    ],
)
def test_settings_with_which_nothing_is_answered_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        ServiceSettings(**settings)


def test_a_gate_without_a_token_is_open():
    assert _TokenGate(None, "")._expected == b""


def damaged_bodies(draw):
    """Bodies that are none, or hold what no field may be."""
    values = [
        None,
        True,
        -1,
        2**70,
        1e308,
        "",
        "\u0000",
        "\ud800",
        "x" * 30,
        [],
        {},
        [[]],
        [""] * 99,
    ]
    values += ["../../etc/passwd", "%s%n", "<script>", "'; drop", "lstm", "topics", ["a"], [0]]
    names = ["model", "prompts", "texts", "max_tokens", "temperature", "top_k", "top_p", "seed"]
    names += ["stop", "stream", "beam_size", "length_penalty", "tokens", "attention", "__class__"]
    while True:
        record = {name: draw.choice(values) for name in draw.sample(names, draw.randrange(6))}
        body = json.dumps(record).encode()
        if draw.random() < 0.3:
            place = draw.randrange(len(body))
            body = body[:place] + draw.randbytes(3) + body[place + draw.randrange(3) :]
        yield draw.choice([body, body, body, b"[" * 20_000, b"\xff\xfe", b"x" * 9_000])


def test_no_hostile_request_breaks_it_or_learns_anything(running, caplog):
    draw = random.Random(0)
    bodies = damaged_bodies(draw)
    paths = ["/v1/generate", "/v1/classify", "/v1/translate", "/v1/models", "/metrics", "/docs"]
    paths += ["/../../etc/passwd", "/v1/%2e%2e/", "//", "/v1/generate/..", "/%00", "/docs.css/"]
    kinds = ["application/json"] * 5 + ["text/plain", "", "multipart/form-data; boundary=x"]
    hosts = [None] * 8 + ["evil.example", "localhost:99999", "[::1", "\u00e9"]
    statuses = set()
    with httpx.Client(base_url=running.address, timeout=120) as client:
        for _ in range(500):
            method = draw.choice(["POST"] * 6 + ["GET", "PUT", "DELETE", "OPTIONS", "HEAD", "BREW"])
            headers = {"Content-Type": draw.choice(kinds)}
            if host := draw.choice(hosts):
                headers["Host"] = host.encode()
            letters = "".join(draw.choices(string.printable, k=20))
            headers["X-Forwarded-Host"] = letters.encode().hex()
            answer = client.request(
                method, draw.choice(paths), content=next(bodies), headers=headers
            )
            statuses.add(answer.status_code)
            assert answer.status_code < 500, answer.text
            for told in (answer.text, str(answer.headers)):
                assert "Traceback" not in told
                assert not any(part in told for part in (str(ROOT), "/tmp/", "site-packages"))
    assert {200, 400, 404, 405, 413, 415} <= statuses
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_half_a_request_keeps_nobody_out(running):
    with contextlib.ExitStack() as stack:
        for content in (b"", b"POST /v1/generate HT", b"\x16\x03\x01", b"GET / HTTP/9.9\r\n\r\n"):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", running.port)))
            client.sendall(content)
        started = time.monotonic()
        assert get(running, "/health").status_code == 200
        assert time.monotonic() - started < 5


def test_a_reader_who_leaves_gives_his_slots_away(running):
    """All slots are taken by clients who leave at once; the next text is written all the same."""
    request = {"model": "lstm", "prompts": ["a"] * 8, "max_tokens": 60, "stop": "length"}
    with httpx.Client(base_url=running.address, timeout=60) as client:
        for _ in range(6):
            with client.stream("POST", "/v1/generate", json={**request, "stream": True}) as answer:
                next(answer.iter_lines())
        (found,) = client.post("/v1/generate", json={**request, "prompts": ["a"]}).json()["results"]
    assert found["num_tokens"] == 60
