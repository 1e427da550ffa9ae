"""`zoo.states` and `zoo.embedding` against the layers run by hand."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny_checkpoints

import zoo
from zoo.data.vocabulary import build_vocabulary
from zoo.errors import UserError
from zoo.layers.cells import make_cell
from zoo.layers.recurrent import recurrence
from zoo.training.config import base_config

WORDS = build_vocabulary("word", tiny_checkpoints.LINES)
TEXT = "a net reads a line\nit guesses"


def built(architecture="recurrent_lm", source=None, labels=(), **settings):
    config = base_config(architecture)
    config.model.update(settings)
    return zoo.build(config, WORDS, source_vocabulary=source, labels=labels)


@pytest.mark.parametrize("mode", ["stream", "sentence"])
def test_each_layer_of_a_language_model_is_the_layer_run_alone(mode):
    checkpoint = built(cell="gru", embedding_size=6, hidden_sizes=(5, 4))
    found = zoo.states(checkpoint, TEXT, mode=mode)
    assert found.tokens == ("<s>", *["a", "net", "reads", "a", "line"], "<s>", "it", "guesses")
    tokens = [WORDS.tokens.index(token) for token in found.tokens]
    hidden = checkpoint.params["embedding"][jnp.array([tokens])]
    resets = jnp.array([[token == "<s>" for token in found.tokens]])
    for number, size in enumerate((5, 4)):
        layer = checkpoint.params["stack"][f"layer_{number}"]
        options = {"resets": resets} if mode == "sentence" else {}
        hidden = recurrence(make_cell("gru", size), layer, hidden, **options).outputs
        np.testing.assert_allclose(found.layers[f"layer_{number}"], hidden[0], atol=1e-5)
    assert list(found.layers) == ["layer_0", "layer_1", "output"]
    np.testing.assert_array_equal(found.layers["output"], found.layers["layer_1"])


def test_a_classifier_reads_both_ways():
    checkpoint = built("classifier", labels=["a", "b"], embedding_size=6, hidden_sizes=(5, 4))
    found = zoo.states(checkpoint, "a net reads")
    assert found.tokens == ("a", "net", "reads", "</s>")
    names = ["layer_0", "reverse_layer_0", "layer_1", "reverse_layer_1", "output"]
    assert list(found.layers) == names
    both = np.concatenate([found.layers["layer_1"], found.layers["reverse_layer_1"]], axis=1)
    np.testing.assert_array_equal(found.layers["output"], both)
    alone = zoo.states(checkpoint, "a net")  # the first words know nothing of what comes after
    np.testing.assert_allclose(alone.layers["layer_0"][:2], found.layers["layer_0"][:2], atol=1e-6)
    assert abs(alone.layers["reverse_layer_0"][:2] - found.layers["reverse_layer_0"][:2]).max() > 0


@pytest.mark.parametrize("encoder", ["gru", "transformer", "feedforward"])
def test_the_encoder_of_a_translator(encoder):
    source = build_vocabulary("word", ["ein Netz liest"])
    settings = {"embedding_size": 8, "hidden_size": 8, "num_layers": 2, "encoder": encoder}
    checkpoint = built("encoder_decoder", source, **settings)
    found = zoo.states(checkpoint, "ein Netz")
    assert found.tokens == ("ein", "Netz", "</s>")
    tokens = jnp.array([[*source.encode("ein Netz"), 2]])
    encode = jax.jit(partial(checkpoint.model.apply, method="encode"))
    encoded = encode({"params": checkpoint.params}, tokens, jnp.array([3]))
    np.testing.assert_allclose(found.layers["output"], encoded.states[0], atol=1e-5)
    assert ("layer_1" in found.layers) == (encoder != "feedforward")


def test_embeddings_by_their_tokens(tmp_path):
    checkpoint = zoo.load(tiny_checkpoints.save(tmp_path, "lstm"))
    table = checkpoint.params["embedding"]
    row = checkpoint.vocabulary.tokens.index("net")
    np.testing.assert_array_equal(zoo.embedding(checkpoint, "net"), table[row])
    np.testing.assert_array_equal(
        zoo.embedding(checkpoint, ["net", "</s>"]), table[jnp.array([row, 2])]
    )
    translator = zoo.load(tiny_checkpoints.save(tmp_path, "german"))
    source = translator.source_vocabulary.tokens.index("Netz")
    expected = translator.params["source_embedding"][source]
    np.testing.assert_array_equal(zoo.embedding(translator, "Netz"), expected)
    np.testing.assert_array_equal(
        zoo.embedding(translator, "net", side="target"),
        translator.params["target_embedding"][translator.vocabulary.tokens.index("net")],
    )


def test_what_is_not_there_is_told(tmp_path):
    counts = zoo.load(tiny_checkpoints.save(tmp_path, "counts"))
    lstm = zoo.load(tiny_checkpoints.save(tmp_path, "lstm"))
    for call in (lambda: zoo.states(counts, TEXT), lambda: zoo.embedding(counts, "net")):
        with pytest.raises(UserError, match="is a model of n-grams, which has no states"):
            call()
    with pytest.raises(UserError, match=r"no token 'nets'; similar tokens: net"):
        zoo.embedding(lstm, "nets")
    with pytest.raises(UserError, match="side is 'left'; use source or target"):
        zoo.embedding(lstm, "net", side="left")
    with pytest.raises(TypeError, match="text is a list; give a string"):
        zoo.states(lstm, ["a"])
    with pytest.raises(UserError, match="has no layers with states; give a recurrent model"):
        zoo.states(built("feedforward_lm", embedding_size=4, hidden_size=4), TEXT)


@pytest.mark.parametrize("name", ["elman", "gru", "lstm"])
def test_forward_mode_needs_the_plain_loop(name):
    """The line of `recurrence`: by scan="sequential", and not otherwise."""
    cell = make_cell(name, 3)
    keys = jax.random.split(jax.random.key(0), 3)
    params = {
        key: 0.5 * jax.random.normal(keys[0], parameter.shape)
        for key, parameter in cell.parameters(2).items()
    }
    x, v = (jax.random.normal(key, (1, 4, 2)) for key in keys[1:])

    def run(inputs, scan="sequential"):
        return recurrence(cell, params, inputs, scan=scan).outputs

    _, forward = jax.jit(lambda x, v: jax.jvp(run, (x,), (v,)))(x, v)
    backward = jax.jit(jax.grad(lambda inputs: run(inputs, "auto").sum()))(x)
    np.testing.assert_allclose(forward.sum(), (backward * v).sum(), rtol=1e-4)
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(lambda inputs: run(inputs, "auto"), (x,), (v,))
