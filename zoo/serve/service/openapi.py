"""The description of the service in OpenAPI 3.1, and a page that shows it.

Starlette's own generator reads YAML from docstrings, so each field would be described twice, there
and in its check. Frameworks that avoid this replace Starlette. Therefore the description is made
from the forms that check the requests. The page loads nothing from other servers.
"""

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

from zoo import report
from zoo.serve.service.forms import request_forms
from zoo.serve.service.settings import ServiceSettings
from zoo.types import Json

# These paths need no token.
OPEN_PATHS = ("/", "/health", "/ready", "/docs", "/docs.css", "/openapi.json")
_SUMMARIES = {
    "generate": "Continues each prompt with text drawn from a language model.",
    "classify": "Classifies each text.",
    "tag": "Gives each word of each text a tag, and marks the spans of names.",
    "translate": "Translates each text by beam search.",
}
_PATHS = {
    "/v1/models": ("The models and their uses.", "application/json"),
    "/health": ("Answers as long as the process runs.", "application/json"),
    "/ready": ("Answers 200 when all programs are compiled, and 503 before.", "application/json"),
    "/metrics": ("Counts and times in Prometheus' text format.", "text/plain"),
    "/openapi.json": ("This description.", "application/json"),
}
_ERRORS = {
    "400": "A field is wrong. The line says what to send.",
    "401": "The token is missing or wrong.",
    "404": "No served model has this name.",
    "413": "A text, a list or the body is too long.",
    "415": "The body is not JSON.",
    "429": "The client sent too many requests. The header Retry-After has the seconds to wait.",
    "503": "The service is not ready, or too many texts wait.",
    "504": "The answer took too long.",
}
_TEXT, _NUMBER, _WHOLE = {"type": "string"}, {"type": "number"}, {"type": "integer"}
_TEXTS = {"type": "array", "items": _TEXT}
_SPAN = {"label": _TEXT, "text": _TEXT, "start": _WHOLE, "end": _WHOLE}
_RESULTS = {
    "generate": {
        "text": {"type": "string", "description": "The prompt and its continuation."},
        "num_tokens": _WHOLE,
        "unknown": {
            **_TEXTS,
            "description": "The parts of the prompt that are not in the vocabulary.",
        },
    },
    "classify": {
        "text": _TEXT,
        "labels": _TEXTS,
        "probabilities": {"type": "object", "additionalProperties": _NUMBER},
        "tokens": {**_TEXTS, "description": "Only if the request asks for tokens."},
        "weights": {
            "type": "array",
            "items": _NUMBER,
            "description": "The share of each token. Only if the request asks for tokens.",
        },
        "is_cut": {"type": "boolean"},
    },
    "tag": {
        "text": _TEXT,
        "tokens": _TEXTS,
        "tags": _TEXTS,
        "probabilities": {"type": "array", "items": _NUMBER},
        "spans": {
            "type": "array",
            "items": {"type": "object", "properties": _SPAN},
            "description": "The spans that the tags mark, with their characters in the text.",
        },
    },
    "translate": {
        "source": _TEXT,
        "text": _TEXT,
        "score": _NUMBER,
        "source_tokens": _TEXTS,
        "tokens": _TEXTS,
        "is_cut": {"type": "boolean"},
        "attention": {
            "type": "array",
            "items": {"type": "array", "items": _NUMBER},
            "description": "A row for each target token. Only if the request asks for attention.",
        },
    },
}


def openapi(settings: ServiceSettings, models: Sequence[Json], version: str) -> Json:
    """Returns the description of a service.

    Args:
        settings: the limits of the service.
        models: the models, as `ServedModels.listing` returns them.
        version: the version of the package.

    Example:
        >>> sorted(openapi(ServiceSettings(), [], "1.0")["paths"])[:3]
        ['/health', '/metrics', '/openapi.json']
    """
    needs_token = bool(settings.token)
    paths: Json = {
        path: {"get": _get(path, *about, needs_token and path not in OPEN_PATHS)}
        for path, about in _PATHS.items()
    }
    paths["/ready"]["get"]["responses"] |= _failed("503")
    for use, form in request_forms(settings).items():
        names = [one["name"] for one in models if one["use"] == use]
        if names:
            form["model"] = {**form["model"], "enum": [*names, ""]}
            paths[f"/v1/{use}"] = {"post": _post(use, form, needs_token)}
    error = {"type": "object", "properties": {"error": _TEXT}, "required": ["error"]}
    schemes = {"token": {"type": "http", "scheme": "bearer"}} if needs_token else {}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Recurrent Zoo",
            "version": version,
            "description": "Recurrent networks that generate, classify, tag and translate text.",
        },
        "paths": paths,
        "components": {"schemas": {"Error": error}, "securitySchemes": schemes},
    }


def _get(path: str, summary: str, media_type: str, needs_token: bool) -> Json:
    schema = {"type": "object"} if media_type.endswith("json") else _TEXT
    answer = {"description": "OK", "content": {media_type: {"schema": schema}}}
    responses = {"200": answer} | _failed(*(["401"] if needs_token else []))
    operation = {"summary": summary, "responses": responses}
    return operation | ({"security": [{"token": []}]} if needs_token else {})


def _failed(*statuses: str) -> Json:
    """Returns the answers with an error, by their statuses."""
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {status: {"description": _ERRORS[status], "content": content} for status in statuses}


def _post(use: str, form: Json, needs_token: bool) -> Json:
    required = [name for name, schema in form.items() if "default" not in schema]
    body = {
        "type": "object",
        "properties": form,
        "required": required,
        "additionalProperties": False,
    }
    result = {"type": "object", "properties": _RESULTS[use]}
    answer = {
        "type": "object",
        "properties": {"model": _TEXT, "results": {"type": "array", "items": result}},
    }
    content: Json = {"application/json": {"schema": answer}}
    if use == "generate":
        content["text/event-stream"] = {"schema": _TEXT}
    responses: Json = {"200": {"description": "OK", "content": content}} | _failed(*_ERRORS)
    operation: Json = {
        "operationId": use,
        "summary": _SUMMARIES[use],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": responses,
    }
    return operation | ({"security": [{"token": []}]} if needs_token else {})


def docs_page(description: Json) -> str:
    """Returns an HTML page that shows a description in OpenAPI."""
    info = description["info"]
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f"<title>{escape(info['title'])}</title>",
        '<link rel="stylesheet" href="/docs.css"></head><body><main>',
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>",
        f"<p>{escape(info['description'])} For programs: <a href='/openapi.json'>openapi.json</a>",
    ]
    for path, methods in sorted(description["paths"].items(), reverse=True):
        for method, operation in methods.items():
            parts += _operation(path, method, operation)
    return "\n".join([*parts, "</main></body></html>"])


def _operation(path: str, method: str, operation: Json) -> list[str]:
    parts = [
        f"<h2>{method.upper()} {escape(path)}</h2>",
        f"<p>{escape(operation['summary'])}</p>",
    ]
    if "requestBody" in operation:
        body = operation["requestBody"]["content"]["application/json"]["schema"]
        parts += ["<h3>Request</h3>", *_table(body["properties"])]
        answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
        results = answer["properties"]["results"]["items"]["properties"]
        parts += ["<h3>Each of the results</h3>", *_table(results)]
        parts += ["<h3>Errors</h3><table><tbody>"]
        for status, told in operation["responses"].items():
            parts.append(f"<tr><td>{status}</td><td>{escape(told['description'])}</td></tr>")
        parts.append("</tbody></table>")
    return parts


def _table(properties: Json) -> list[str]:
    """Returns a table with a row for each field: name, type, default and description."""
    rows = ["<table><thead><tr><th>field</th><th>type</th><th>default</th><th></th></tr></thead>"]
    shown = ("type", "default", "description")
    for name, schema in properties.items():
        rest = {key: value for key, value in schema.items() if key not in shown}
        told = " ".join(f"{key}: {json.dumps(value)}" for key, value in rest.items())
        default = json.dumps(schema["default"]) if "default" in schema else ""
        cells = [name, schema["type"], default, f"{schema.get('description', '')} {told}".strip()]
        rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    return [*rows, "</table>"]


def docs_style() -> str:
    """Returns the style of the page, which is the style of a run's report."""
    return (Path(report.__file__).parent / "style.css").read_text("utf-8")
