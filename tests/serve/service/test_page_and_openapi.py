"""What a service tells of itself."""

import json
import re

import pytest

from zoo.serve.service.openapi import docs_page, openapi
from zoo.serve.service.settings import ServiceSettings

MODELS = [{"name": "<lstm>", "use": "generate"}, {"name": "topics", "use": "classify"}]


@pytest.mark.parametrize("token", ["", "0123456789abcdef"])
def test_the_description_is_valid(token):
    validator = pytest.importorskip("openapi_spec_validator")
    description = openapi(ServiceSettings(token=token), MODELS, "1.0")
    validator.validate(json.loads(json.dumps(description)))
    assert "/v1/translate" not in description["paths"]
    paths = description["paths"]
    for operation in (paths["/v1/generate"]["post"], paths["/v1/models"]["get"]):
        assert ("security" in operation) == bool(token)
    assert "security" not in paths["/ready"]["get"]
    assert {"200", "503"} == paths["/ready"]["get"]["responses"].keys()
    assert token not in json.dumps(description) or not token


def test_the_description_has_the_fields_that_requests_have(ask):
    description = ask.client.get("/openapi.json").json()
    for use in ("generate", "classify", "translate"):
        operation = description["paths"][f"/v1/{use}"]["post"]
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        told = ask(use, no_such_field=1, **{name: ["a"] for name in schema["required"]})
        names = told.json()["error"].rpartition("the fields are ")[2].split(", ")
        assert names == list(schema["properties"])


def test_defaults_and_bounds_of_the_description_hold(ask):
    schema = ask.client.get("/openapi.json").json()["paths"]["/v1/generate"]["post"]
    fields = schema["requestBody"]["content"]["application/json"]["schema"]["properties"]
    for name, field in fields.items():
        for bound, step in (("minimum", -1), ("maximum", 1)):
            if bound in field and name != "prompts":
                good = {"model": "lstm", "prompts": ["a"], "max_tokens": 1, "stop": "end"}
                assert ask("generate", **{**good, name: field[bound]}).status_code == 200
                assert ask("generate", **{**good, name: field[bound] + step}).status_code == 400


def test_the_page_fetches_nothing_and_escapes_names(ask):
    page = ask.client.get("/docs").text
    fetched = re.findall(r"(?:src|href)=[\"']([^\"']*)", page)
    assert fetched == ["/docs.css", "/openapi.json"]
    assert "<script" not in page
    assert "POST /v1/generate" in page
    description = openapi(ServiceSettings(), MODELS, "1.0")
    assert "<lstm>" not in docs_page(description)
    assert "&lt;lstm&gt;" in docs_page(description)


def test_requests_are_counted_timed_and_logged_without_their_texts(ask, caplog):
    caplog.set_level("INFO", logger="zoo.serve")
    answer = ask("classify", texts=["secret words"])
    assert answer.status_code == 200
    ask.client.get("/no/such/path")
    page = ask.client.get("/metrics").text
    assert re.search(r'zoo_requests_total\{path="/v1/classify",status="200"\} [1-9]', page)
    assert re.search(r'zoo_requests_total\{path="other",status="404"\} [1-9]', page)
    assert "/no/such/path" not in page
    assert "zoo_ready_workers 1.0" in page
    assert 'zoo_waiting_texts{model="lstm"} 0.0' in page
    (record,) = [
        one
        for one in caplog.records
        if getattr(one, "zoo_fields", {}).get("status") == 200
        and one.zoo_fields["path"] == "/v1/classify"
    ]
    assert record.zoo_fields["id"] == answer.headers["X-Request-Id"]
    assert "secret" not in str(vars(record))
