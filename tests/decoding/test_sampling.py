import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.decoding import sampling
from zoo.decoding.sampling import keep_top_k, keep_top_p, sample, scale_by_temperature
from zoo.special_tokens import END_ID, START_ID, UNKNOWN_ID

NUM_DRAWS = 20_000


def random_logits(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape, scale=2), jnp.float32)


def draw_many(logits, **options):
    """Frequency of each token in many independent draws."""
    keys = jax.random.split(jax.random.key(5), NUM_DRAWS)
    drawn = jax.vmap(lambda key: sample(key, logits, **options))(keys)
    return np.bincount(np.asarray(drawn), minlength=len(logits)) / NUM_DRAWS


def softmax(logits):
    exponentials = np.exp(logits - np.max(logits))
    return exponentials / exponentials.sum()


def nucleus(probabilities, top_p):
    """The tokens of the nucleus, one at a time from the most probable."""
    chosen, total = set(), 0.0
    for token in sorted(range(len(probabilities)), key=lambda t: (-probabilities[t], t)):
        if chosen and total >= top_p:
            break
        chosen.add(token)
        total += probabilities[token]
    return chosen


def finite(logits):
    return set(np.flatnonzero(np.isfinite(np.asarray(logits))).tolist())


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_frequencies_are_the_softmax_at_the_temperature(temperature):
    logits = random_logits(0, 8)
    expected = softmax(
        np.where(np.isin(np.arange(8), [UNKNOWN_ID, START_ID]), -np.inf, logits) / temperature
    )
    np.testing.assert_allclose(
        draw_many(logits, temperature=temperature), expected, atol=4 * (0.25 / NUM_DRAWS) ** 0.5
    )


def test_start_is_never_drawn_and_unknown_only_where_allowed():
    logits = jnp.array([9.0, 9.0, 0.0, 1.0])
    forbidding, allowing = draw_many(logits), draw_many(logits, allow_unknown=True)
    assert forbidding[UNKNOWN_ID] == forbidding[START_ID] == allowing[START_ID] == 0
    assert allowing[UNKNOWN_ID] > 0.9
    assert int(sample(jax.random.key(0), logits, temperature=0.0)) == 3


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("restriction", [{}, {"top_k": 2}, {"top_p": 0.5}])
def test_where_all_probability_is_forbidden_the_text_ends(temperature, restriction):
    logits = jnp.log(jnp.array([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.5, 0.0, 0.0, 0.5]]))
    options = {"temperature": temperature, **restriction}
    assert sample(jax.random.key(0), logits, **options).tolist() == [END_ID, END_ID, 3]
    allowing = sample(jax.random.key(0), logits[:2], allow_unknown=True, **options)
    assert allowing.tolist() == [UNKNOWN_ID, END_ID]


@pytest.mark.parametrize("temperature", [0.0, 1e-45, 1e-38, 1e-30])
def test_no_or_hardly_any_temperature_takes_the_most_probable(temperature):
    logits = random_logits(1, 5, 9) * 50
    drawn = sample(jax.random.key(0), logits, temperature=temperature, allow_unknown=True)
    allowed = np.where(np.arange(9) == START_ID, -np.inf, logits)
    np.testing.assert_array_equal(drawn, allowed.argmax(axis=-1))


def test_temperature_divides_log_probabilities():
    scaled = scale_by_temperature(jnp.log(jnp.array([0.2, 0.8])), 0.5)
    np.testing.assert_allclose(softmax(scaled), [1 / 17, 16 / 17], rtol=1e-5)


@pytest.mark.parametrize("top_k", [1, 2, 6, 7, 100])
def test_top_k_keeps_the_k_largest_and_low_ids_of_equal_ones(top_k):
    logits = jnp.array([[1.0, 3.0, 3.0, 0.5, 3.0, 2.0, -1.0], *random_logits(2, 3, 7)])
    for row, kept in zip(np.asarray(logits), keep_top_k(logits, top_k), strict=True):
        expected = sorted(range(7), key=lambda token: (-row[token], token))[:top_k]
        assert finite(kept) == set(expected)
        np.testing.assert_array_equal(kept[jnp.array(expected)], row[expected])


@pytest.mark.parametrize("top_p", [1e-6, 0.3, 0.5, 0.9, 0.999])
def test_top_p_keeps_the_smallest_set_that_reaches_p(top_p):
    logits = random_logits(3, 50, 12)
    for row, kept in zip(logits, keep_top_p(logits, top_p), strict=True):
        assert finite(kept) == nucleus(softmax(np.asarray(row, np.float64)), top_p)


def test_top_p_of_equal_tokens_takes_no_more_than_it_needs():
    assert finite(keep_top_p(jnp.zeros(8), 0.5)) == {0, 1, 2, 3}


def test_no_limit_keeps_all():
    logits = random_logits(4, 2, 3, 6)
    np.testing.assert_array_equal(keep_top_k(logits, 0), logits)
    np.testing.assert_array_equal(keep_top_p(logits, 1.0), logits)


def test_the_nucleus_is_taken_of_the_top_k_at_the_temperature():
    logits = jnp.log(jnp.array([1e-9, 1e-9, 0.4, 0.3, 0.2, 0.1]))
    # Of the two largest, 0.4 has 4/7 = 0.57 of the probability; squared (temperature 1/2), 0.64.
    assert finite(jnp.log(draw_many(logits, top_k=2, top_p=0.6))) == {2, 3}
    assert finite(jnp.log(draw_many(logits, top_k=2, top_p=0.6, temperature=0.5))) == {2}
    assert finite(jnp.log(draw_many(logits, top_p=0.6))) == {2, 3}
    assert finite(jnp.log(draw_many(logits, top_p=0.8))) == {2, 3, 4}


def test_other_settings_compile_nothing_again():
    traces = []

    @jax.jit
    def traced(key, logits, options):
        traces.append(1)
        return sample(key, logits, **options)

    for temperature, top_k, top_p in [(0.0, 0, 1.0), (0.7, 5, 0.9), (2.0, 1, 0.1)]:
        options = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
        token = traced(jax.random.key(0), random_logits(6, 4, 10), options)
        assert token.shape == (4,)
        assert token.dtype == jnp.int32
    assert len(traces) == 1


def test_each_row_may_have_settings_and_a_key_of_its_own():
    logits, keys = random_logits(7, 4, 12), jax.random.split(jax.random.key(3), 4)
    options = {
        "temperature": jnp.array([1.0, 0.0, 0.5, 1.0]),
        "top_k": jnp.array([0, 0, 3, 2]),
        "top_p": jnp.array([1.0, 1.0, 0.6, 0.9]),
        "allow_unknown": jnp.array([False, True, False, True]),
    }
    drawn = sample(keys, logits, **options)
    for row in range(4):
        own = {name: values[row] for name, values in options.items()}
        assert drawn[row] == sample(keys[row], logits[row], **own)


def test_the_smallest_random_number_draws_the_first_token_that_has_a_probability(monkeypatch):
    monkeypatch.setattr(jax.random, "uniform", lambda key, shape, dtype: jnp.zeros(shape, dtype))
    logits = jnp.array([-jnp.inf, -jnp.inf, 0.0, 1.0])
    assert int(sampling._draw(jax.random.key(0), logits)) == 2
