"""The forms of requests. The same declaration checks a request and describes it in OpenAPI.

Each field is declared by its JSON Schema. The value of a setting is checked by the record that the
command with the same name uses, so that the command and the service report the same errors.
"""

from typing import Any

from zoo.decoding.settings import MAX_TEMPERATURE, STOPS, GenerationSettings
from zoo.decoding.translation import SearchSettings
from zoo.serve.fields import Fields
from zoo.serve.limits import Refused
from zoo.serve.service.settings import ServiceSettings
from zoo.types import Json

MAX_LENGTH_PENALTY = 4.0
_WHOLE = 2**63  # no record takes a larger number


def request_forms(settings: ServiceSettings) -> dict[str, Json]:
    """Returns the fields of a request for each use, as JSON Schemas.

    A field without a default is required.

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
        "description": "The name of a model. It is required only if several models have this use.",
    }
    return {
        "generate": {"model": model, "prompts": texts, **_generation(settings)},
        "classify": {
            "model": model,
            "texts": texts,
            "tokens": _flag("Adds the tokens of the text and their weights."),
        },
        "tag": {"model": model, "texts": texts},
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
            "description": "Largest number of tokens that are drawn.",
        },
        **_sampling(default),
        "seed": {
            "type": "integer",
            "default": default.seed,
            "minimum": 0,
            "maximum": 2**32 - 1,
            "description": "The same seed gives the same text, whatever other requests there are.",
        },
        "stop": {
            "type": "string",
            "enum": [*STOPS, ""],
            "default": "",
            "description": "Where a text ends: at the first end of a sentence, or at max_tokens "
            "only. The empty default is max_tokens for a model of characters, and the end of a "
            "sentence for other models.",
        },
        "allow_unknown": _flag("Allows the model to draw <unk>."),
        "stream": _flag("Sends the text as server-sent events while it is generated."),
    }


def _sampling(default: GenerationSettings) -> Json:
    return {
        "temperature": {
            "type": "number",
            "default": default.temperature,
            "minimum": 0,
            "maximum": MAX_TEMPERATURE,
            "description": "Divides the logits. 0 always takes the most probable token.",
        },
        "top_k": {
            "type": "integer",
            "default": default.top_k,
            "minimum": 0,
            "maximum": 2**31 - 1,
            "description": "Draws only from the K most probable tokens. 0 means no limit.",
        },
        "top_p": {
            "type": "number",
            "default": default.top_p,
            "exclusiveMinimum": 0,
            "maximum": 1,
            "description": "Draws only from the most probable tokens with this total probability.",
        },
    }


def _search(settings: ServiceSettings) -> Json:
    return {
        "beam_size": {
            "type": "integer",
            "enum": list(settings.beam_sizes),
            "default": settings.beam_sizes[0],
            "description": "Beam size of the search. 1 means greedy decoding.",
        },
        "length_penalty": {
            "type": "number",
            "default": SearchSettings.length_penalty,
            "minimum": 0,
            "maximum": MAX_LENGTH_PENALTY,
            "description": "Exponent of the length by which the score of a hypothesis is divided.",
        },
        "attention": _flag("Adds the attention of each target token, if the model has attention."),
    }


def _flag(description: str) -> Json:
    return {"type": "boolean", "default": False, "description": description}


def read_form(body: bytes, form: Json, settings: ServiceSettings) -> Json:
    """Returns the values of all fields of a request, without checking the bounds of numbers.

    Args:
        body: the request's body.
        form: one of `request_forms`.
        settings: the limits of the service.

    Raises:
        Refused: A field has the wrong type, is missing, or is unknown.

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
            return fields.name(name, default)


def check_bounds(values: Json, form: Json) -> None:
    """Refuses a value that the record of the settings takes, but the service does not.

    Raises:
        Refused: A number is out of the bounds of its schema, or a value is not one of the choices.
    """
    for name, schema in form.items():
        value = values[name]
        if "enum" in schema and value not in schema["enum"]:
            choices = ", ".join(str(choice) for choice in schema["enum"] if choice != "")
            raise Refused(400, f"{name} is {value}; choose one of {choices}")
        low, high = schema.get("minimum", value), schema.get("maximum", value)
        if schema["type"] in ("integer", "number") and not low <= value <= high:
            raise Refused(400, f"{name} is {value}; use {low} to {high}")


def generation_settings(values: Json, form: Json) -> GenerationSettings:
    """Returns the settings of a request to generate.

    Raises:
        UserError: A value is out of the bounds of the command.
        Refused: A value is out of the bounds of the service.
    """
    names = ("max_tokens", "temperature", "top_k", "top_p", "seed", "allow_unknown")
    chosen = {name: values[name] for name in names}
    settings = GenerationSettings(**chosen, stop=values["stop"] or None)
    check_bounds(values, form)
    return settings


def search_settings(values: Json, form: Json) -> SearchSettings:
    """Returns the settings of a request to translate; raises as `generation_settings` does."""
    names = ("beam_size", "length_penalty")
    settings = SearchSettings(**{name: values[name] for name in names})
    check_bounds(values, form)
    return settings
