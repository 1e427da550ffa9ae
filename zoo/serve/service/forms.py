"""The forms of requests: one declaration checks a request and describes it in OpenAPI.

Each field is declared by its JSON Schema. What a setting may be is checked by the record that the
command of the same name uses, so that a mistake is told in the same words.
"""

from typing import Any

from zoo.decoding.settings import STOPS, GenerationSettings
from zoo.decoding.translation import SearchSettings
from zoo.serve.fields import Fields
from zoo.serve.limits import Refused
from zoo.serve.service.settings import ServiceSettings
from zoo.types import Json

MAX_TEMPERATURE = 100.0
MAX_LENGTH_PENALTY = 4.0
_WHOLE = 2**63  # no record takes more


def request_forms(settings: ServiceSettings) -> dict[str, Json]:
    """The fields of a request by its use, each as a JSON Schema; those with no default are needed.

    Args:
        settings: the limits of the service.

    Example:
        >>> sorted(request_forms(ServiceSettings())["classify"])
        ['model', 'texts', 'tokens']
    """
    text = {"type": "string", "maxLength": settings.max_characters}
    texts = {"type": "array", "items": text, "minItems": 1, "maxItems": settings.max_texts}
    model = {
        "type": "string",
        "default": "",
        "description": "The name of a model. It is not needed where only one fits.",
    }
    return {
        "generate": {"model": model, "prompts": texts, **_generation(settings)},
        "classify": {
            "model": model,
            "texts": texts,
            "tokens": _flag("Adds the tokens that were read, and their weights."),
        },
        "translate": {"model": model, "texts": texts, **_search(settings)},
    }


def _generation(settings: ServiceSettings) -> Json:
    default = GenerationSettings()
    return {
        "max_tokens": {
            "type": "integer",
            "default": min(default.max_tokens, settings.max_tokens),
            "minimum": 1,
            "maximum": settings.max_tokens,
            "description": "Tokens that are drawn at most.",
        },
        **_sampling(default),
        "seed": {
            "type": "integer",
            "default": default.seed,
            "minimum": 0,
            "maximum": 2**32 - 1,
            "description": "The same seed gives the same text, whoever else is served.",
        },
        "stop": {
            "type": "string",
            "enum": [*STOPS, ""],
            "default": "",
            "description": "Where a text ends: at its first sentence end, or at max_tokens only. "
            "Empty: at max_tokens for a model of characters, at the sentence end for others.",
        },
        "allow_unknown": _flag("Lets the model draw <unk> as well."),
        "stream": _flag("Sends the text as server-sent events while it is written."),
    }


def _sampling(default: GenerationSettings) -> Json:
    return {
        "temperature": {
            "type": "number",
            "default": default.temperature,
            "minimum": 0,
            "maximum": MAX_TEMPERATURE,
            "description": "Divides the logits; 0 takes the most probable token each time.",
        },
        "top_k": {
            "type": "integer",
            "default": default.top_k,
            "minimum": 0,
            "maximum": 2**31 - 1,
            "description": "Only the K most probable tokens may be drawn; 0 is no limit.",
        },
        "top_p": {
            "type": "number",
            "default": default.top_p,
            "exclusiveMinimum": 0,
            "maximum": 1,
            "description": "Only the most probable tokens of together this probability are drawn.",
        },
    }


def _search(settings: ServiceSettings) -> Json:
    return {
        "beam_size": {
            "type": "integer",
            "enum": list(settings.beam_sizes),
            "default": settings.beam_sizes[0],
            "description": "Width of the search; 1 is greedy.",
        },
        "length_penalty": {
            "type": "number",
            "default": SearchSettings.length_penalty,
            "minimum": 0,
            "maximum": MAX_LENGTH_PENALTY,
            "description": "Power of the length that scores are divided by.",
        },
        "attention": _flag("Adds what each written token looked at, where the model says so."),
    }


def _flag(description: str) -> Json:
    return {"type": "boolean", "default": False, "description": description}


def read_form(body: bytes, form: Json, settings: ServiceSettings) -> Json:
    """Returns the values of all fields of a request; the bounds of numbers are not checked yet.

    Args:
        body: the request's body.
        form: one of `request_forms`.
        settings: the limits of the service.

    Raises:
        Refused: a field has the wrong type, is missing, or is unknown.

    Example:
        >>> settings = ServiceSettings()
        >>> read_form(b'{"texts": ["a"]}', request_forms(settings)["classify"], settings)
        {'model': '', 'texts': ['a'], 'tokens': False}
    """
    fields = Fields(body, settings.max_characters)
    values = {name: _take(fields, name, schema) for name, schema in form.items()}
    fields.finish()
    return values


def _take(fields: Fields, name: str, schema: Json) -> Any:
    default: Any = schema.get("default")
    match schema["type"]:
        case "array":
            return fields.texts(name, schema["maxItems"])
        case "boolean":
            return fields.flag(name, default)
        case "integer":
            return fields.whole(name, default, -_WHOLE, _WHOLE)
        case "number":
            return fields.number(name, default)
        case _:
            return fields.text(name, default)


def check_bounds(values: Json, form: Json) -> None:
    """Refuses a value that no record has refused, but that the service does not allow.

    Raises:
        Refused: a number is out of the bounds of its schema, or a value is not among its choices.
    """
    for name, schema in form.items():
        value = values[name]
        if "enum" in schema and value not in schema["enum"]:
            choices = ", ".join(str(choice) for choice in schema["enum"] if choice != "")
            raise Refused(400, f"{name} is {value}; use one of {choices}")
        low, high = schema.get("minimum", value), schema.get("maximum", value)
        if schema["type"] in ("integer", "number") and not low <= value <= high:
            raise Refused(400, f"{name} is {value}; use {low} to {high}")


def generation_settings(values: Json, form: Json) -> GenerationSettings:
    """The settings of a request to generate.

    Raises:
        UserError: a value is out of the bounds that the command has, in the command's words.
        Refused: a value is out of the service's bounds.
    """
    names = ("max_tokens", "temperature", "top_k", "top_p", "seed", "allow_unknown")
    chosen = {name: values[name] for name in names}
    settings = GenerationSettings(**chosen, stop=values["stop"] or None)
    check_bounds(values, form)
    return settings


def search_settings(values: Json, form: Json) -> SearchSettings:
    """The settings of a request to translate; errors as in `generation_settings`."""
    names = ("beam_size", "length_penalty")
    settings = SearchSettings(**{name: values[name] for name in names})
    check_bounds(values, form)
    return settings
