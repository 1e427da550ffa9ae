"""Every registered architecture, from one table: counts, gradients, no second compilation."""

import dataclasses
import json
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.errors import UserError
from zoo.models.registry import ARCHITECTURES, build, default_config, list_models, task_of


class Row(NamedTuple):
    """What the common tests need of an architecture.

    Attributes:
        settings: a small model.
        num_parameters: of that model with a vocabulary of 11, from the formula beside it.
        default_num_parameters: of the default settings with a vocabulary of 100.
    """

    settings: dict[str, Any]
    num_parameters: int
    default_num_parameters: int


TABLE = {
    "feedforward_lm": Row(
        {"window": 3, "embedding_size": 4, "hidden_size": 5, "direct_connections": True},
        # V D + 3 D H + H + H V + V + 3 D V = 44 + 60 + 5 + 55 + 11 + 132
        307,
        # 100 * 128 + 4 * 128 * 256 + 256 + 256 * 100 + 100
        169_828,
    ),
    "recurrent_lm": Row(
        {"cell": "lstm", "embedding_size": 4, "hidden_sizes": [5]},
        # V D + 4 (D H + H H + H) + H V + V = 44 + 200 + 55 + 11
        310,
        # 100 * 128 + 4 * (128 * 256 + 256 * 256 + 256) + 256 * 100 + 100
        432_740,
    ),
}
every_architecture = pytest.mark.parametrize("name", TABLE)
TOKENS = np.random.default_rng(0).permutation(22).reshape(2, 11) % 11  # every token is there


def make(name: str) -> Any:
    return build({"architecture": name, **TABLE[name].settings}, 11)


def count(model: Any) -> int:
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.asarray(TOKENS))["params"]
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))


def test_every_architecture_has_a_row() -> None:
    elsewhere = {name for name in ARCHITECTURES if task_of(name) != "language_modeling"}
    assert set(TABLE) | elsewhere == set(ARCHITECTURES) == set(list_models())
    # Which need more than a vocabulary: test_ngram_lm.py, test_classifier.py,
    # test_encoder_decoder.py, test_tagger.py.
    assert elsewhere == {"ngram_lm", "classifier", "encoder_decoder", "tagger"}


@every_architecture
def test_number_of_parameters(name: str) -> None:
    assert count(make(name)) == TABLE[name].num_parameters
    assert count(build({"architecture": name}, 100)) == TABLE[name].default_num_parameters


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_default_settings_are_plain_json_and_build_the_default_model(name: str) -> None:
    settings = default_config(name)
    sizes = {
        "classification": {"num_labels": 3},
        "tagging": {"num_tags": 3, "num_characters": 7},
        "translation": {"source_vocabulary_size": 7},
    }.get(task_of(name), {})
    record = type(build({"architecture": name}, 11, **sizes).config)
    assert set(settings) == {"architecture", *(field.name for field in dataclasses.fields(record))}
    again = build(json.loads(json.dumps(settings)), 11, **sizes)
    assert again == build({"architecture": name}, 11, **sizes)


@every_architecture
def test_gradients_are_finite_and_reach_every_parameter_on_one_compilation(name: str) -> None:
    model, traces = make(name), []
    params = jax.jit(model.init)(jax.random.key(0), jnp.asarray(TOKENS))["params"]

    @jax.jit
    def gradient(params: Any, tokens: Any) -> Any:
        traces.append(tokens.shape)

        def loss(params: Any) -> jax.Array:
            logits = model.apply({"params": params}, tokens).logits
            picked = jnp.take_along_axis(jax.nn.log_softmax(logits), tokens[:, :, None], axis=-1)
            return -picked.mean()

        return jax.grad(loss)(params)

    for leaf in jax.tree.leaves(gradient(params, TOKENS)):
        assert np.isfinite(leaf).all()
        assert (leaf != 0).any()
    gradient(jax.tree.map(lambda leaf: leaf + 0.1, params), TOKENS[:, ::-1].copy())
    assert len(traces) == 1


def test_an_unknown_architecture_names_a_near_one() -> None:
    with pytest.raises(UserError, match=r"'recurrent_ml'.*recurrent_lm"):
        build({"architecture": "recurrent_ml"}, 11)
    with pytest.raises(UserError, match=r"'perceptron'.*recurrent_lm"):
        default_config("perceptron")


def test_an_unknown_setting_names_the_nearest() -> None:
    with pytest.raises(UserError, match=r"model\.hiden_sizes.*model\.hidden_sizes"):
        build({"architecture": "recurrent_lm", "hiden_sizes": [3]}, 11)


def test_a_bad_value_is_told_through_the_registry_too() -> None:
    with pytest.raises(UserError, match=r"model\.cell"):
        build({"architecture": "recurrent_lm", "cell": "lstn"}, 11)


def test_build_leaves_the_settings_as_they_were() -> None:
    settings = {"architecture": "recurrent_lm", "hidden_sizes": [3]}
    build(settings, 11)
    assert settings == {"architecture": "recurrent_lm", "hidden_sizes": [3]}
