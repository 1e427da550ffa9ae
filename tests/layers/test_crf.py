"""The CRF against all sequences of tags, one by one, in NumPy."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.errors import UserError
from zoo.layers import crf
from zoo.layers.crf import FORBIDDEN, Transitions, constrain

log_likelihood, marginals, sequence_score, viterbi = (
    jax.jit(function)
    for function in (crf.log_likelihood, crf.marginals, crf.sequence_score, crf.viterbi)
)
log_partition = jax.jit(crf.log_partition, static_argnames="scan")

B, T, K = 4, 5, 3
DRAW = np.random.default_rng(0)
LENGTHS = np.array([5, 3, 1, 4], np.int32)
SCORES = DRAW.normal(size=(B, T, K), scale=2).astype(np.float32)
TAGS = DRAW.integers(0, K, (B, T)).astype(np.int32)
FREE = Transitions(*(DRAW.normal(size=s).astype(np.float32) for s in ((K,), (K, K), (K,))))
# The scheme B, I, O as IOB2 has it: I neither first nor behind O.
ALLOWED = Transitions(
    np.array([True, False, True]),
    np.array([[True, True, True], [True, True, True], [True, False, True]]),
    np.array([True, True, True]),
)
CONSTRAINED = constrain(FREE, ALLOWED)
both = pytest.mark.parametrize("transitions", [FREE, CONSTRAINED], ids=["free", "constrained"])


def plain_score(row, tags, transitions):
    """s(x, y), from its equation."""
    start, between, end = (np.asarray(part, float) for part in transitions)
    score = start[tags[0]] + end[tags[-1]]
    for step, tag in enumerate(tags):
        score += float(SCORES[row, step, tag])
        if step:
            score += between[tags[step - 1], tag]
    return score


def enumerate_row(row, transitions):
    """Every sequence of tags of a row, and its score."""
    sequences = list(itertools.product(range(K), repeat=int(LENGTHS[row])))
    return sequences, np.array([plain_score(row, one, transitions) for one in sequences])


def plain_partition(row, transitions):
    scores = enumerate_row(row, transitions)[1]
    return np.log(np.exp(scores - scores.max()).sum()) + scores.max()


@both
@pytest.mark.parametrize("scan", ["sequential", "parallel"])
def test_the_partition_function_sums_over_all_sequences(transitions, scan):
    found = log_partition(SCORES, transitions, LENGTHS, scan=scan)
    wanted = [plain_partition(row, transitions) for row in range(B)]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


@both
def test_the_likelihood_of_a_sequence_is_its_share_of_the_sum(transitions):
    tags = np.where(TAGS == 1, 2, TAGS) if transitions is CONSTRAINED else TAGS
    found = log_likelihood(SCORES, transitions, tags, LENGTHS)
    scores = sequence_score(SCORES, transitions, tags, LENGTHS)
    for row in range(B):
        wanted = plain_score(row, tags[row, : LENGTHS[row]], transitions)
        assert scores[row] == pytest.approx(wanted, rel=1e-5)
        wanted -= plain_partition(row, transitions)
        assert found[row] == pytest.approx(wanted, rel=1e-4, abs=1e-5)


@both
def test_marginals_sum_over_the_sequences_with_the_tag(transitions):
    found = marginals(SCORES, transitions, LENGTHS)
    for row in range(B):
        sequences, scores = enumerate_row(row, transitions)
        powers = np.exp(scores - scores.max())
        wanted = np.zeros((T, K))
        for tags, power in zip(sequences, powers / powers.sum(), strict=True):
            for step, tag in enumerate(tags):
                wanted[step, tag] += power
        np.testing.assert_allclose(found[row], wanted, atol=1e-6)


@both
def test_viterbi_finds_the_best_of_all_sequences(transitions):
    tags, best = viterbi(SCORES, transitions, LENGTHS)
    for row in range(B):
        sequences, scores = enumerate_row(row, transitions)
        wanted = sequences[int(scores.argmax())]
        assert tags[row].tolist() == [*wanted, *[0] * (T - len(wanted))]
        assert best[row] == pytest.approx(scores.max(), rel=1e-5)


def test_forbidden_tags_are_never_chosen_and_have_no_probability():
    tempting = SCORES + np.array([0, 50, 0], np.float32)  # I, wherever it may stand
    tags, _ = viterbi(tempting, CONSTRAINED, LENGTHS)
    probabilities = marginals(tempting, CONSTRAINED, LENGTHS)
    for row in range(B):
        own = tags[row, : LENGTHS[row]].tolist()
        assert own[0] != 1
        assert (2, 1) not in itertools.pairwise(own)
    assert (probabilities[:, 0, 1] == 0).all()
    assert any(1 in row for row in tags.tolist())


@pytest.mark.parametrize("scan", ["sequential", "parallel"])
def test_the_gradient_equals_finite_differences(scan, float64):
    tags = np.where(TAGS == 1, 2, TAGS)

    def loss(scores, *parts):
        transitions = constrain(Transitions(*parts), ALLOWED)
        total = log_partition(scores, transitions, LENGTHS, scan=scan)
        return (total - sequence_score(scores, transitions, tags, LENGTHS)).sum()

    inputs = [np.asarray(part, np.float64) for part in (SCORES, *FREE)]
    gradients = jax.jit(jax.grad(loss, argnums=(0, 1, 2, 3)))(*inputs)
    value = jax.jit(loss)
    for number, gradient in enumerate(gradients):
        assert np.isfinite(gradient).all()
        for at in np.ndindex(inputs[number].shape):
            moved = [value(*_moved(inputs, number, at, step)) for step in (1e-5, -1e-5)]
            wanted = float(moved[0] - moved[1]) / 2e-5
            assert float(gradient[at]) == pytest.approx(wanted, abs=1e-6)


def _moved(inputs, number, at, step):
    changed = [part.copy() for part in inputs]
    changed[number][at] += step
    return changed


@pytest.mark.parametrize("scan", ["sequential", "parallel"])
def test_gradients_stay_finite_where_a_tag_cannot_be_reached(scan):
    unreachable = Transitions(ALLOWED.start, ALLOWED.between & (np.arange(K) != 1), ALLOWED.end)

    def loss(scores, transitions):
        return log_partition(scores, constrain(transitions, unreachable), LENGTHS, scan=scan).sum()

    for leaf in jax.tree.leaves(jax.jit(jax.grad(loss, argnums=(0, 1)))(SCORES, FREE)):
        assert np.isfinite(leaf).all()


def test_padding_and_the_other_rows_change_nothing():
    other = SCORES.copy()
    for row, length in enumerate(LENGTHS):
        other[row, length:] = 1e6
    tags = np.where(np.arange(T) < LENGTHS[:, None], TAGS, 2)
    for scan in ("sequential", "parallel"):
        one = log_partition(SCORES, FREE, LENGTHS, scan=scan)
        np.testing.assert_array_equal(one, log_partition(other, FREE, LENGTHS, scan=scan))
    for function in (marginals, viterbi):
        jax.tree.map(
            np.testing.assert_array_equal,
            function(SCORES, FREE, LENGTHS),
            function(other, FREE, LENGTHS),
        )
    np.testing.assert_array_equal(
        sequence_score(SCORES, FREE, TAGS, LENGTHS), sequence_score(other, FREE, tags, LENGTHS)
    )
    for row, length in enumerate(LENGTHS):
        alone = SCORES[row : row + 1, :length]
        np.testing.assert_allclose(
            marginals(alone, FREE, LENGTHS[row : row + 1])[0],
            marginals(SCORES, FREE, LENGTHS)[row, :length],
            rtol=1e-5,
            atol=1e-7,
        )


def test_the_parallel_form_equals_the_scan_on_long_rows():
    draw = np.random.default_rng(1)
    scores = draw.normal(size=(3, 300, K), scale=3).astype(np.float32)
    lengths = np.array([300, 171, 2], np.int32)

    def partition(scan):
        return jax.jit(
            jax.value_and_grad(lambda s: log_partition(s, CONSTRAINED, lengths, scan=scan).sum())
        )(scores)

    (one, gradient), (other, other_gradient) = partition("sequential"), partition("parallel")
    assert float(one) == pytest.approx(float(other), rel=1e-5)
    np.testing.assert_allclose(gradient, other_gradient, atol=2e-4)


def test_a_row_of_one_word_has_a_start_and_an_end():
    found = log_partition(SCORES[:, :1], FREE, np.ones(B, np.int32))
    wanted = np.log(np.exp(FREE.start + SCORES[:, 0] + FREE.end).sum(axis=1))
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    assert viterbi(SCORES[:, :1], FREE, np.ones(B, np.int32))[0].shape == (B, 1)
    assert float(jnp.exp(jnp.float32(FORBIDDEN))) == 0


def test_another_scan_is_refused():
    with pytest.raises(UserError, match="scan is 'fast'; use sequential or parallel"):
        log_partition(SCORES, FREE, LENGTHS, scan="fast")
