"""The additive score, one query at a time, against its formula for all at once.

The scores in a whole model are compared with NumPy loops in tests/models.
"""

import jax
import jax.numpy as jnp
import numpy as np

from zoo.layers.attention import additive_scores


def test_additive_scores_and_their_gradients_are_those_of_the_formula():
    draw = np.random.default_rng(5).standard_normal
    shapes = ((3, 4, 6), (3, 5, 6), (6,), (3, 4, 5))
    queries, keys, vector, grad = (jnp.asarray(draw(shape), jnp.float32) for shape in shapes)

    def plain(queries: jax.Array, keys: jax.Array, vector: jax.Array) -> jax.Array:
        return jnp.tanh(queries[:, :, None] + keys[:, None]) @ vector

    found, back = jax.vjp(additive_scores, queries, keys, vector)
    wanted, plain_back = jax.vjp(plain, queries, keys, vector)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    for one, other in zip(back(grad), plain_back(grad), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
