"""What training adds to the loss and drops from the words, against NumPy transcriptions."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_lm import TOKENS, V, apply, random_params, small

from zoo.data.batching import Batch
from zoo.models.recurrent_lm import RecurrentLM, mean_square
from zoo.special_tokens import END_ID
from zoo.tasks.language_modeling import LanguageModelLoss

KEY = jax.random.key(5)
ALPHA, BETA = 2.0, 3.0
LENGTHS = np.array([6, 4, 1], np.int32)


def see_through(**settings: Any) -> tuple[RecurrentLM, Any]:
    """A model whose logits are what goes into U, the outputs of the top layer after dropout."""
    model = small(hidden_sizes=(3, V), **settings)
    params = random_params(model)
    identity = {"output_kernel": jnp.eye(V), "output_bias": jnp.zeros(V)}
    return model, {**params, **identity}


def slow_mean_square(x: np.ndarray, lengths: np.ndarray, fewer: int = 0) -> float:
    """One element of one real step after the other."""
    squares = [
        float(x[row, step, unit]) ** 2
        for row in range(len(x))
        for step in range(lengths[row] - fewer)
        for unit in range(x.shape[2])
    ]
    return sum(squares) / len(squares)


def slow_penalty(raw: np.ndarray, dropped: np.ndarray, lengths: np.ndarray) -> tuple[float, float]:
    """AR and TAR without their factors: mean of dropped^2, and of (raw_{t+1} - raw_t)^2."""
    moves = np.zeros_like(raw[:, 1:])
    for step in range(raw.shape[1] - 1):
        moves[:, step] = raw[:, step + 1] - raw[:, step]
    return slow_mean_square(dropped, lengths), slow_mean_square(moves, lengths, fewer=1)


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "padded"])
@pytest.mark.parametrize(("alpha", "beta"), [(ALPHA, 0.0), (0.0, BETA), (ALPHA, BETA)])
def test_the_penalty_is_alpha_times_ar_and_beta_times_tar(
    alpha: float, beta: float, lengths: np.ndarray | None
) -> None:
    """AR is of the output after dropout, TAR of the output before it."""
    settings = {"activation_penalty": alpha, "temporal_penalty": beta, "output_dropout_rate": 0.4}
    model, params = see_through(**settings)
    raw = np.asarray(apply(model, params, TOKENS, lengths=lengths).logits)
    output = apply(model, params, TOKENS, lengths=lengths, key=KEY)
    dropped = np.asarray(output.logits)
    assert 0 < (dropped == 0).mean() < 1
    real = np.full(3, 6) if lengths is None else lengths
    activation, temporal = slow_penalty(raw, dropped, real)
    assert float(output.penalty) == pytest.approx(alpha * activation + beta * temporal, rel=1e-5)
    other = slow_penalty(dropped, raw, real)  # what a mix-up of the two would give
    assert abs(alpha * (activation - other[0]) + beta * (temporal - other[1])) > 1e-2


@pytest.mark.parametrize("padding", [1, 4])
def test_padding_and_what_stands_in_it_change_no_penalty(padding: int) -> None:
    model, params = see_through(activation_penalty=ALPHA, temporal_penalty=BETA)
    plain = apply(model, params, TOKENS, key=KEY).penalty
    tokens = np.pad(TOKENS, ((0, 0), (0, padding)), constant_values=3)
    lengths = np.full(3, 6, np.int32)
    padded = apply(model, params, tokens, lengths=lengths, key=KEY).penalty
    assert float(padded) == pytest.approx(float(plain), rel=1e-6)


def test_one_step_has_no_difference_to_punish() -> None:
    model, params = see_through(temporal_penalty=BETA)
    assert apply(model, params, TOKENS[:, :1], key=KEY).penalty == 0
    ones = np.ones(3, np.int32)
    assert apply(model, params, TOKENS, lengths=ones, key=KEY).penalty == 0


def test_the_mean_square_equals_a_loop_over_real_steps() -> None:
    x = np.random.default_rng(4).normal(size=(3, 6, 5)).astype(np.float32)
    whole = np.full(3, 6)
    for lengths, fewer in ((None, 0), (LENGTHS, 0), (LENGTHS, 1)):
        got = mean_square(jnp.asarray(x), None if lengths is None else jnp.asarray(lengths), fewer)
        expected = slow_mean_square(x, whole if lengths is None else lengths, fewer)
        assert float(got) == pytest.approx(expected, rel=1e-5)


def test_there_is_no_penalty_where_none_is_asked_for_nor_outside_of_training() -> None:
    asked = small(activation_penalty=ALPHA, temporal_penalty=BETA)
    params = random_params(asked)
    assert apply(small(), params, TOKENS, key=KEY).penalty is None
    assert apply(asked, params, TOKENS).penalty is None
    np.testing.assert_array_equal(
        apply(asked, params, TOKENS).logits, apply(small(), params, TOKENS).logits
    )


RATE = 0.4
WORDS = 40  # as many, that both kinds of words are among them


def embed(model: RecurrentLM, params: Any, tokens: Any, key: Any) -> np.ndarray:
    """What stands for tokens in training: the input of the lowest layer."""
    variables, rngs = {"params": params}, {"dropout": key}
    run = jax.jit(lambda: model.apply(variables, tokens, False, rngs=rngs, method="_embed"))
    return np.asarray(run())


def embed_in_training(tokens: np.ndarray, key: Any, **settings: Any) -> tuple[Any, np.ndarray]:
    """The embedding matrix, and what stands for some tokens in training."""
    config = small(word_dropout_rate=RATE, **settings).config
    model = RecurrentLM(config, WORDS)
    params = random_params(model)
    return np.asarray(params["embedding"]), embed(model, params, tokens, key)


def test_a_word_is_dropped_whole_and_everywhere_or_scaled() -> None:
    """Every row of the matrix is zero or 1 / (1 - p) of itself, in every row and step."""
    tokens = np.random.default_rng(7).integers(WORDS, size=(8, 30)).astype(np.int32)
    table, embedded = embed_in_training(tokens, KEY)
    masked, dropped = np.zeros_like(table), set()
    for word in np.unique(tokens):
        places = embedded[tokens == word]
        np.testing.assert_array_equal(places, np.broadcast_to(places[0], places.shape))
        if not places[0].any():
            dropped.add(word)
        else:
            np.testing.assert_allclose(places[0], table[word] / (1 - RATE), rtol=1e-6)
        masked[word] = places[0]
    assert 0.15 < len(dropped) / len(np.unique(tokens)) < 0.65
    np.testing.assert_array_equal(embedded, masked[tokens])


def test_the_key_alone_chooses_the_words_that_are_dropped() -> None:
    """Not the tokens of the chunk, its shape, nor the other kinds of dropout."""
    every = np.arange(WORDS, dtype=np.int32)[None]
    table, once = embed_in_training(every, KEY)
    _, again = embed_in_training(every.T[::-1], KEY)
    np.testing.assert_array_equal(again[::-1, 0], once[0])
    _, other = embed_in_training(every, jax.random.key(6))
    assert (other.any(axis=-1) != once.any(axis=-1)).any()
    rates = []
    for seed in range(30):
        _, embedded = embed_in_training(every, jax.random.key(seed))
        rates.append((embedded == 0).all(axis=-1).mean())
    spread = math.sqrt(RATE * (1 - RATE) / (30 * WORDS))
    assert abs(np.mean(rates) - RATE) < 4 * spread
    assert table.all()


def test_embedding_dropout_comes_on_top_of_word_dropout() -> None:
    every = np.repeat(np.arange(WORDS, dtype=np.int32)[None], 3, axis=0)
    table, embedded = embed_in_training(every, KEY, embedding_dropout_rate=0.5)
    kept = embedded != 0
    assert not kept.any(axis=(0, 2)).all()  # whole words
    assert (kept.any(axis=(0, 2)) & ~kept.all(axis=(0, 2))).any()  # and single units
    expected = np.broadcast_to(table / (1 - RATE) / 0.5, embedded.shape)
    np.testing.assert_allclose(embedded[kept], expected[kept], rtol=1e-6)


@pytest.mark.parametrize("tied", [False, True])
def test_the_model_reads_the_masked_embedding_and_predicts_with_the_whole_one(tied: bool) -> None:
    model = small(word_dropout_rate=RATE, tie_embeddings=tied, hidden_sizes=(3, 4))
    params = random_params(model)
    every = np.arange(V, dtype=np.int32)[None]
    masked = embed(model, params, every, KEY)[0]
    assert 0 < (masked == 0).all(axis=1).sum() < V
    kernel = params["embedding"].T if tied else params["output_kernel"]
    plain, untied = small(), {**params, "embedding": jnp.asarray(masked), "output_kernel": kernel}
    np.testing.assert_allclose(
        apply(model, params, TOKENS, key=KEY).logits,
        apply(plain, untied, TOKENS).logits,
        rtol=2e-5,
        atol=2e-6,
    )


def test_no_word_is_dropped_outside_of_training() -> None:
    model = small(word_dropout_rate=0.9)
    params = random_params(model)
    np.testing.assert_array_equal(
        apply(model, params, TOKENS).logits, apply(small(), params, TOKENS).logits
    )


def task_loss(model: RecurrentLM, batch: Batch, **options: Any) -> Any:
    task, params = LanguageModelLoss(model, **options), random_params(model)
    return jax.jit(task.loss)(params, model.zero_carry(3), batch, KEY)


def a_batch(steps: int = 6, padding: int = 0, lengths: Any = None) -> Batch:
    pads = ((0, 0), (0, padding))
    tokens = np.pad(TOKENS[:, :steps], pads, constant_values=END_ID)
    lengths = np.full(3, steps, np.int32) if lengths is None else lengths
    return Batch(tokens, tokens[:, ::-1].copy(), lengths, np.zeros(3, bool))


@pytest.mark.parametrize("usual_length", [0, 12])
def test_the_loss_has_the_penalty_and_the_metrics_do_not(usual_length: int) -> None:
    settings = {"output_dropout_rate": 0.4}
    plain = small(**settings)
    model = small(**settings, activation_penalty=ALPHA, temporal_penalty=BETA)
    batch = a_batch()
    loss, (_, metrics) = task_loss(model, batch, usual_length=usual_length)
    without, (_, other) = task_loss(plain, batch, usual_length=usual_length)
    output = apply(model, random_params(model), batch.inputs, model.zero_carry(3), key=KEY)
    assert float(output.penalty) > 0.01
    assert float(loss) == pytest.approx(float(without) + float(output.penalty), rel=1e-5)
    assert metrics["loss_nats"] == pytest.approx(float(other["loss_nats"]), rel=1e-6)
    mean = float(metrics["loss_nats"]) / float(metrics["num_targets"])
    assert float(without) == pytest.approx(mean, rel=1e-6)


@pytest.mark.parametrize("usual_length", [0, 12], ids=["sentences", "chunks"])
def test_padding_of_a_batch_changes_no_loss_with_a_penalty(usual_length: int) -> None:
    """Sentences are padded, too, see `SentenceBatches`; what has no padding needs no lengths."""
    model = small(activation_penalty=ALPHA, temporal_penalty=BETA)
    short = a_batch()
    pads = ((0, 0), (0, 5))
    inputs, targets = (np.pad(array, pads, constant_values=END_ID) for array in short[:2])
    long = Batch(inputs, targets, short.lengths, short.fresh)
    loss, _ = task_loss(model, short)
    assert float(loss) > float(task_loss(small(), short)[0]) + 0.01
    for batch in (short, long):
        found, _ = task_loss(model, batch, has_padding=True, usual_length=usual_length)
        assert float(found) == pytest.approx(float(loss), rel=1e-6)
