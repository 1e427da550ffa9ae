"""A language model of every cell, in a plain and in a residual stack, in every kind of use."""

import functools

import jax
import numpy as np
import pytest
from jax import export

import zoo
from zoo.decoding.blocks import PREFILL_STEPS
from zoo.decoding.settings import GenerationSettings
from zoo.decoding.slots import Slots
from zoo.exchange.stablehlo import write_stablehlo
from zoo.layers.cells import cell_names
from zoo.training.config import base_config
from zoo.training.release import release

pytestmark = pytest.mark.slow
LINES = ["the rain sings by the lake", "my brother waits", "a green bird turns slowly"] * 3
NUM_TOKENS = 16

every_cell = pytest.mark.parametrize("cell", cell_names())
every_stack = pytest.mark.parametrize("block", ["plain", "residual"])


@functools.cache
def checkpoint_of(cell, block):
    """A model with random parameters, which differ enough from their start to write all letters."""
    config = base_config("recurrent_lm")
    config.model.cell, config.model.block = cell, block
    config.model.embedding_size, config.model.hidden_sizes = 6, (6, 6)
    config.model.convolution_width = 2 if block == "residual" else 0
    vocabulary = zoo.build_vocabulary("character", LINES)
    checkpoint = zoo.build(config, vocabulary, seed=1)
    draw = np.random.default_rng(2)
    return checkpoint.with_params(
        jax.tree.map(lambda a: a + np.float32(0.3 * draw.normal(size=a.shape)), checkpoint.params)
    )


@every_stack
@every_cell
def test_a_text_does_not_depend_on_the_texts_beside_it(cell, block):
    """The same texts come from batches, from pieces, alone, and from slots beside others."""
    checkpoint = checkpoint_of(cell, block)
    prompts = ["", "the rain " * (PREFILL_STEPS // 6), "my"]
    options = {"max_tokens": NUM_TOKENS, "seed": 3, "stop": "length"}
    together = zoo.generate(checkpoint, prompts, **options)
    assert zoo.generate(checkpoint, prompts[0], **options) == together[0]
    settings = GenerationSettings(**options)
    assert "".join(zoo.stream_generate(checkpoint, prompts[0], settings)) == together[0]
    slots = Slots(checkpoint.model, checkpoint.params, num_slots=2)
    drawn = {}
    vocabulary = checkpoint.vocabulary
    for row, prompt in list(enumerate(prompts))[1:]:
        inputs = [1, *vocabulary.encode(prompt)]
        drawn[slots.add(inputs, settings, row)] = (row, [])
    while min(len(tokens) for _, tokens in drawn.values()) < NUM_TOKENS:
        for slot, tokens in slots.advance().items():
            drawn[slot][1].extend(tokens)
    for row, tokens in drawn.values():
        assert together[row] == prompts[row] + vocabulary.decode(tokens[:NUM_TOKENS])


@every_stack
@every_cell
def test_scores_of_lines_and_of_a_model_that_adapts(cell, block):
    checkpoint = checkpoint_of(cell, block)
    plain = zoo.perplexity(checkpoint, LINES)
    assert plain == pytest.approx(zoo.perplexity(checkpoint, "\n".join(LINES)), rel=1e-5)
    still = zoo.DynamicEvaluation("sgd", rate=1e-12, decay=0.0)
    assert zoo.perplexity(zoo.adapt(checkpoint, dynamic=still), LINES) == pytest.approx(plain, 1e-4)
    lively = zoo.DynamicEvaluation("sgd", rate=0.05, decay=0.0)
    cache = zoo.NeuralCache(size=20, weight=0.2, flatness=0.1)
    adapted = zoo.perplexity(zoo.adapt(checkpoint, dynamic=lively, cache=cache), LINES)
    assert adapted < plain
    states = zoo.states(checkpoint, LINES[0])
    assert all(np.isfinite(array).all() for array in states.layers.values())


@pytest.mark.parametrize("precision", ["float32", "int8"])
@every_cell
def test_a_release_scores_as_its_model(cell, precision, tmp_path):
    checkpoint = checkpoint_of(cell, "residual")
    zoo.save(checkpoint, tmp_path / "model")
    release(tmp_path / "model", tmp_path / "released", precision=precision)
    found, wanted = (zoo.perplexity(one, LINES) for one in (tmp_path / "released", checkpoint))
    assert found == pytest.approx(wanted, rel=1e-6 if precision == "float32" else 0.05)


@every_cell
def test_an_exported_program_gives_what_the_model_gives(cell, tmp_path):
    """It takes any number of rows and steps; no code may ask an array for its length."""
    checkpoint = checkpoint_of(cell, "plain")
    write_stablehlo(tmp_path / "model.stablehlo", checkpoint)
    program = export.deserialize((tmp_path / "model.stablehlo").read_bytes())
    tokens = np.random.default_rng(4).integers(3, 10, (3, 5), np.int32)
    carry = jax.tree.leaves(checkpoint.model.zero_carry(3))
    logits = program.call(tokens, np.ones(3, bool), *carry)[0]
    wanted = checkpoint.model.apply({"params": checkpoint.params}, tokens).logits
    np.testing.assert_allclose(logits, wanted, rtol=1e-4, atol=1e-5)
