"""Embeddings multiplied before they are looked up are embeddings multiplied after."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from zoo.layers.fast.lookup import Lookup, embed, take_rows
from zoo.layers.recurrent import RecurrentStack

B, T, V, D = 3, 6, 5, 4
RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(V, D)).astype(np.float32)
TOKENS = RNG.integers(V - 1, size=(B, T)).astype(np.int32)  # the last row is never asked for
LENGTHS = np.array([6, 1, 4], np.int32)


def test_rows_and_their_gradient():
    rows = TOKENS.reshape(-1)
    weights = RNG.normal(size=(B * T, D)).astype(np.float32)
    np.testing.assert_array_equal(take_rows(jnp.asarray(TABLE), rows), TABLE[rows])
    found = jax.grad(lambda table: (take_rows(table, rows) * weights).sum())(jnp.asarray(TABLE))
    expected = np.zeros_like(TABLE)
    for row, weight in zip(rows, weights, strict=True):
        expected[row] += weight
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert not expected[-1].any()


@pytest.mark.parametrize(
    ("cell", "bidirectional"),
    [("lstm", False), ("lstm", True), ("gru", True), ("elman", True), ("min_gru", True)],
)
def test_a_stack_over_a_lookup_is_one_over_the_embeddings(cell, bidirectional):
    stack = RecurrentStack(cell=cell, sizes=(3, 2), bidirectional=bidirectional)
    params = jax.jit(stack.init)(jax.random.key(1), jnp.asarray(TABLE[TOKENS]))

    def run(embed):
        def loss(params, table):
            outputs = stack.apply(params, embed(table), lengths=LENGTHS)[0]
            return jnp.square(outputs).sum(), outputs

        step = jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))
        (_, outputs), gradient = step(params, jnp.asarray(TABLE))
        return outputs, gradient

    outputs, gradient = run(lambda table: Lookup(table, jnp.asarray(TOKENS)))
    expected_outputs, expected_gradient = run(lambda table: table[TOKENS])
    np.testing.assert_allclose(outputs, expected_outputs, rtol=1e-5, atol=1e-6)
    jax.tree.map(
        lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5),
        gradient,
        expected_gradient,
    )


def test_in_a_program_for_any_number_of_rows_it_is_not_chosen():
    rows = jax.ShapeDtypeStruct(export.symbolic_shape("b, 4096"), jnp.int32)
    table = jax.ShapeDtypeStruct((64, 256), jnp.float32)
    found = jax.eval_shape(embed, table, rows)
    assert not isinstance(found, Lookup)


@pytest.mark.parametrize(
    ("vocabulary", "width", "tokens", "is_lookup"),
    [
        (64, 256, 4096, True),
        (105, 64, 4096, False),
        (90, 64, 4096, True),
        (300, 64, 4096, False),  # a gradient of 300 x N where the products have 3 x 64 x N
        (64, 256, 100, False),
        (10_000, 200, 700, False),
    ],
)
def test_it_is_chosen_where_it_halves_the_work(vocabulary, width, tokens, is_lookup):
    table, rows = jnp.zeros((vocabulary, width)), jnp.zeros((1, tokens), jnp.int32)
    found = embed(table, rows)
    assert isinstance(found, Lookup) == is_lookup
    assert (found.shape, found.dtype) == ((1, tokens, width), table.dtype)
