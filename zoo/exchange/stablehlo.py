"""Exports a trained model as a StableHLO program with its weights, by `jax.export`.

    program = jax.export.deserialize(open("model.stablehlo", "rb").read())
    logits, carry = program.call(tokens, fresh, carry)

This code needs jax and no code of the zoo. The program runs on CPU, GPU and TPU, for any batch size
b and any number of steps. A JSON file beside it (`model.stablehlo.json`) has the inputs and outputs
with their shapes, and the record of the vocabulary: its tokens, or a model of sentencepiece. Its
"sha256" is the SHA-256 of the program's file in hexadecimal digits. If it differs, the files come
from different exports.

The inputs and outputs of the program depend on the task:

    language model   tokens int32[b, t], fresh bool[b], carry ... -> logits [b, t, V], carry ...
                     a fresh row starts anew, whatever its carry is (zeros are fine)
    classifier       tokens int32[b, t], lengths int32[b] -> probabilities [b, C]
    tagger           words int32[b, t], lengths int32[b], characters int32[b, t, C] if it reads them
                     -> tags int32[b, t], probabilities [b, t] of these tags; a tagger with language
                     models also reads text_0 int32[b, c], ..., which are <s> and the characters of
                     the sentence, and ends int32[b, t], the position of each word's last character
    translator       sources int32[b, s], source_lengths int32[b], inputs int32[b, t]
                     -> logits [b, t, V], teacher-forced
"""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import export

from zoo.errors import UserError
from zoo.models.tagger import decode, read_texts
from zoo.models.trained import TrainedModel
from zoo.types import Json
from zoo.whole_file import whole_file

PLATFORMS = ("cpu", "cuda", "tpu")

Array = jax.Array


class Program(NamedTuple):
    """A model as a program.

    Attributes:
        function: the function from arrays to arrays, with the weights.
        inputs: for each argument its name, shape and type; the arrays of a carry are `carry_0`, ...
        outputs: the names of the results, in their order.
        beside: further information for the user of the program, such as vocabulary and labels, as
            plain JSON.
    """

    function: Callable[..., Sequence[Array]]
    inputs: dict[str, jax.ShapeDtypeStruct]
    outputs: tuple[str, ...]
    beside: Json


def make_program(checkpoint: TrainedModel) -> Program:
    """Returns the program of a checkpoint of the zoo.

    Args:
        checkpoint: a checkpoint from `zoo.load`.
    """
    return _MAKERS[checkpoint.kind.command](checkpoint)


def write_stablehlo(path: os.PathLike[str] | str, checkpoint: TrainedModel) -> None:
    """Writes the program of a checkpoint and its description; existing files are replaced.

    Args:
        path: the file of the program. The name of the description is this name and .json.
        checkpoint: a checkpoint from `zoo.load`.

    Raises:
        UserError: the files cannot be written, or the package flatbuffers is missing.
    """
    program = make_program(checkpoint)
    exported = export.export(jax.jit(program.function), platforms=PLATFORMS)(
        *program.inputs.values()
    )
    try:
        content = bytes(exported.serialize())
    except ImportError as error:
        raise UserError(
            "StableHLO files need flatbuffers; type: pip install 'recurrent-zoo[exchange]'"
        ) from error
    description = {
        "inputs": {name: _describe(spec) for name, spec in program.inputs.items()},
        "outputs": dict(zip(program.outputs, map(_describe, exported.out_avals), strict=True)),
        "platforms": list(PLATFORMS),
        "sha256": hashlib.sha256(content).hexdigest(),
        **program.beside,
    }
    target = Path(path).expanduser()
    text = json.dumps(description, ensure_ascii=False, indent=1) + "\n"
    with whole_file(describing(target)) as beside, whole_file(target) as incomplete:
        beside.write_text(text, encoding="utf-8")
        incomplete.write_bytes(content)


def describing(path: Path) -> Path:
    """Returns the path of the description of a program.

    Example:
        >>> describing(Path("lm.stablehlo")).name
        'lm.stablehlo.json'
    """
    return path.with_name(path.name + ".json")


def _describe(spec: Any) -> Json:
    shape = [size if isinstance(size, int) else str(size) for size in spec.shape]
    return {"shape": shape, "dtype": str(spec.dtype)}


def _sizes(names: str) -> Sequence[Any]:
    """Returns symbolic sizes, which are left open."""
    return export.symbolic_shape(names)


def _integers(*shape: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jnp.int32)


def _language_model(checkpoint: TrainedModel) -> Program:
    model, params = checkpoint.model, checkpoint.params
    batch, steps = _sizes("b, t")
    carry = jax.eval_shape(lambda: model.zero_carry(1))
    leaves, structure = jax.tree.flatten(carry)
    names = [f"carry_{index}" for index in range(len(leaves))]

    def function(tokens: Array, fresh: Array, *carry: Array) -> Sequence[Array]:
        output = model.apply(
            {"params": params},
            tokens,
            jax.tree.unflatten(structure, carry),
            resets=fresh[:, None],
        )
        return (output.logits, *jax.tree.leaves(output.carry))

    inputs = {
        "tokens": _integers(batch, steps),
        "fresh": jax.ShapeDtypeStruct((batch,), jnp.bool_),
    }
    for name, leaf in zip(names, leaves, strict=True):
        inputs[name] = jax.ShapeDtypeStruct((batch, *leaf.shape[1:]), leaf.dtype)
    beside = {"task": "language_modeling", "vocabulary": checkpoint.vocabulary.to_json()}
    return Program(function, inputs, ("logits", *names), beside)


def _classifier(checkpoint: Any) -> Program:
    model, params = checkpoint.model, checkpoint.params
    batch, steps = _sizes("b, t")
    squash = jax.nn.sigmoid if checkpoint.labels.multiple else jax.nn.softmax

    def function(tokens: Array, lengths: Array) -> Sequence[Array]:
        return (squash(model.apply({"params": params}, tokens, lengths=lengths).logits),)

    inputs = {"tokens": _integers(batch, steps), "lengths": _integers(batch)}
    beside = {
        "task": "classification",
        "labels": list(checkpoint.labels.names),
        "thresholds": checkpoint.thresholds.tolist() if checkpoint.labels.multiple else None,
        "max_tokens": checkpoint.max_tokens,
        "cut": checkpoint.cut,
        "vocabulary": checkpoint.vocabulary.to_json(),
    }
    return Program(function, inputs, ("probabilities",), beside)


def _translator(checkpoint: Any) -> Program:
    model, params = checkpoint.model, checkpoint.params
    batch, source_steps, steps = _sizes("b, s, t")

    def function(sources: Array, source_lengths: Array, inputs: Array) -> Sequence[Array]:
        return (model.apply({"params": params}, sources, source_lengths, inputs).logits,)

    inputs = {
        "sources": _integers(batch, source_steps),
        "source_lengths": _integers(batch),
        "inputs": _integers(batch, steps),
    }
    beside = {
        "task": "translation",
        "lowercase": checkpoint.lowercase,
        "source_vocabulary": checkpoint.source_vocabulary.to_json(),
        "vocabulary": checkpoint.vocabulary.to_json(),
    }
    return Program(function, inputs, ("logits",), beside)


def _tagger(checkpoint: Any) -> Program:
    model, params = checkpoint.model, checkpoint.params
    batch, steps, letters = _sizes("b, t, c")

    readers = model.language_models
    inputs = {"words": _integers(batch, steps), "lengths": _integers(batch)}
    if checkpoint.characters is not None:
        inputs["characters"] = _integers(batch, steps, model.config.max_characters)
    for number in range(len(readers)):
        inputs[f"text_{number}"] = _integers(batch, letters)
    if readers:
        inputs["ends"] = _integers(batch, steps)

    def function(*arrays: Array) -> Sequence[Array]:
        given = dict(zip(inputs, arrays, strict=True))
        texts = tuple(given.pop(f"text_{number}") for number in range(len(readers)))
        if readers:
            given["features"] = read_texts(readers, params, texts, given.pop("ends"))
        return decode(model.apply({"params": params}, **given), given["lengths"])

    beside = {
        "task": "tagging",
        "tags": list(checkpoint.tags),
        "scheme": checkpoint.scheme,
        "lowercase": checkpoint.lowercase,
        "vocabulary": checkpoint.vocabulary.to_json(),
        "characters": checkpoint.characters and checkpoint.characters.to_json(),
        "texts": [reader.vocabulary.to_json() for reader in checkpoint.readers],
    }
    return Program(function, inputs, ("tags", "probabilities"), beside)


_MAKERS = {
    "classify": _classifier,
    "generate": _language_model,
    "tag": _tagger,
    "translate": _translator,
}
