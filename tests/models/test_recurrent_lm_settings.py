"""Every setting of the recurrent language model changes something; bad values are told."""

import dataclasses
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_lm import TOKENS, V, apply, random_params, small

from zoo.errors import UserError
from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig


@cache
def shapes(model: RecurrentLM) -> Any:
    return jax.eval_shape(model.init, jax.random.key(0), jnp.asarray(TOKENS))["params"]


@cache
def initial_values(model: RecurrentLM) -> Any:
    return jax.jit(model.init)(jax.random.key(0), jnp.asarray(TOKENS))["params"]


@cache
def outputs(model: RecurrentLM) -> Any:
    return apply(model, random_params(model), TOKENS).logits


@cache
def outputs_in_training(model: RecurrentLM) -> Any:
    return apply(model, random_params(model), TOKENS, key=jax.random.key(5)).logits


@cache
def penalty_in_training(model: RecurrentLM) -> Any:
    return apply(model, random_params(model), TOKENS, key=jax.random.key(5)).penalty


@cache
def gradients(model: RecurrentLM) -> Any:
    def loss(params: Any) -> jax.Array:
        return (model.apply({"params": params}, TOKENS).logits ** 2).sum()

    return jax.jit(jax.grad(loss))(random_params(model))


def same(first: Any, second: Any) -> bool:
    if jax.tree.structure(first) != jax.tree.structure(second):
        return False
    pairs = zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True)
    if any(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in jax.tree.leaves(first)):
        return all(a.shape == b.shape for a, b in pairs)
    return all(np.array_equal(a, b) for a, b in pairs)


# field, another value, what it changes, what it leaves alone, other settings that this needs
SETTINGS = [
    ("cell", "gru", shapes, None, {}),
    ("embedding_size", 5, shapes, None, {}),
    ("hidden_sizes", (4, 3), shapes, None, {}),
    ("block", "residual", shapes, None, {"hidden_sizes": (4, 4)}),
    ("convolution_width", 4, shapes, None, {"hidden_sizes": (4, 4), "block": "residual"}),
    ("tie_embeddings", True, shapes, None, {}),
    ("learn_initial_state", True, shapes, None, {}),
    ("truncation", 2, gradients, outputs, {}),
    ("embedding_dropout_rate", 0.5, outputs_in_training, outputs, {}),
    ("layer_dropout_rate", 0.5, outputs_in_training, outputs, {}),
    ("output_dropout_rate", 0.5, outputs_in_training, outputs, {}),
    ("word_dropout_rate", 0.5, outputs_in_training, outputs, {}),
    ("weight_dropout_rate", 0.5, outputs_in_training, outputs, {}),
    ("dropout_shares_steps", True, outputs_in_training, None, {"embedding_dropout_rate": 0.5}),
    ("dropout_shares_steps", True, outputs_in_training, None, {"layer_dropout_rate": 0.5}),
    ("dropout_shares_steps", True, outputs_in_training, None, {"output_dropout_rate": 0.5}),
    ("activation_penalty", 2.0, penalty_in_training, outputs_in_training, {}),
    ("activation_penalty", 3.0, penalty_in_training, outputs, {"temporal_penalty": 1.0}),
    ("temporal_penalty", 2.0, penalty_in_training, outputs_in_training, {}),
    ("temporal_penalty", 3.0, penalty_in_training, outputs, {"activation_penalty": 1.0}),
    ("init_scale", 0.1, initial_values, outputs, {}),
    ("forget_bias", 2.0, initial_values, outputs, {"name": "lstm"}),
    ("matmul_dtype", "bfloat16", outputs, shapes, {}),
]


def test_every_setting_has_a_row() -> None:
    assert {row[0] for row in SETTINGS} == {f.name for f in dataclasses.fields(RecurrentLMConfig)}


@pytest.mark.parametrize(("field", "value", "what_differs", "what_does_not", "others"), SETTINGS)
def test_every_setting_changes_something(
    field: str, value: Any, what_differs: Any, what_does_not: Any, others: dict[str, Any]
) -> None:
    plain = small(**{"name": "elman", **others})
    changed = RecurrentLM(dataclasses.replace(plain.config, **{field: value}), V)
    with jax.disable_jit():  # compiling each of these models would take longer
        assert not same(what_differs(plain), what_differs(changed))
        if what_does_not is not None:
            assert same(what_does_not(plain), what_does_not(changed))


def test_logits_and_carry_are_float32_after_bfloat16_products() -> None:
    model = small(matmul_dtype="bfloat16")
    output = apply(model, random_params(model), TOKENS)
    assert {leaf.dtype for leaf in jax.tree.leaves(output)} == {jnp.dtype("float32")}
    exact = outputs(small())
    assert np.abs(output.logits - exact).max() < 3e-2 * np.abs(exact).max()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cell", "lstmm"),
        ("embedding_size", 0),
        ("embedding_size", -3),
        ("hidden_sizes", ()),
        ("hidden_sizes", (4, 0)),
        ("block", "dense"),
        ("convolution_width", -1),
        ("convolution_width", 1),
        ("convolution_width", 4),  # of plain layers
        ("tie_embeddings", True),  # with sizes 128 and 256
        ("truncation", -1),
        ("embedding_dropout_rate", 1.0),
        ("layer_dropout_rate", -0.1),
        ("output_dropout_rate", 1.5),
        ("weight_dropout_rate", float("nan")),
        ("word_dropout_rate", 1.0),
        ("word_dropout_rate", -0.2),
        ("activation_penalty", -1.0),
        ("activation_penalty", float("inf")),
        ("temporal_penalty", -0.5),
        ("temporal_penalty", float("nan")),
        ("init_scale", -0.1),
        ("matmul_dtype", "float16"),
    ],
)
def test_a_bad_value_is_told_on_one_line(field: str, value: Any) -> None:
    """With the setting's name as it is typed, and what came."""
    with pytest.raises(UserError) as error:
        RecurrentLMConfig(**{field: value})
    message = str(error.value)
    assert f"model.{field} " in message
    assert "\n" not in message
    if field != "tie_embeddings":
        assert repr(value) in message


def test_residual_blocks_need_equal_sizes() -> None:
    RecurrentLMConfig(block="residual", embedding_size=4, hidden_sizes=(4, 4))
    with pytest.raises(UserError, match=r"hidden_sizes \(4, 5\) to be model.embedding_size 4"):
        RecurrentLMConfig(block="residual", embedding_size=4, hidden_sizes=(4, 5))


def test_tied_embeddings_need_the_last_size_only() -> None:
    RecurrentLMConfig(tie_embeddings=True, embedding_size=4, hidden_sizes=(9, 4))
    with pytest.raises(UserError, match=r"\(4, 9\).*embedding_size 4"):
        RecurrentLMConfig(tie_embeddings=True, embedding_size=4, hidden_sizes=(4, 9))


def test_sizes_from_a_json_list_are_a_tuple() -> None:
    assert RecurrentLMConfig(hidden_sizes=[3, 4]) == RecurrentLMConfig(hidden_sizes=(3, 4))
    assert hash(RecurrentLMConfig(hidden_sizes=[3]))
