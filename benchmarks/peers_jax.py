"""The same language models with flax.linen.RNN and with Haiku, each as a jitted step."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax

from benchmarks.rows import Row, random_tokens, update_rule


def build_flax(row: Row, steps_a_call: int) -> Callable[[], float]:
    """Returns a call that takes the given number of steps, waits, and returns the last loss."""
    import flax.linen as nn

    cells = {"lstm": nn.OptimizedLSTMCell, "elman": nn.SimpleCell, "gru": nn.GRUCell}

    class Model(nn.Module):
        @nn.compact
        def __call__(self, tokens: Any, carries: list[Any]) -> tuple[Any, list[Any]]:
            hidden, finals = nn.Embed(row.vocabulary, row.size)(tokens), []
            for carry in carries:
                layer = nn.RNN(cells[row.cell](row.size), return_carry=True)
                final, hidden = layer(hidden, initial_carry=carry)
                finals.append(final)
            return nn.Dense(row.vocabulary)(hidden), finals

    model = Model()
    carries = [_zero_carry(row) for _ in range(row.layers)]
    params = jax.jit(model.init)(jax.random.key(0), random_tokens(row)[0], carries)
    return _step(model.apply, params, carries, row, steps_a_call)


def build_haiku(row: Row, steps_a_call: int) -> Callable[[], float]:
    """Returns the same call with Haiku."""
    import haiku as hk

    cells = {"lstm": hk.LSTM, "elman": hk.VanillaRNN, "gru": hk.GRU}

    def forward(tokens: Any, carries: list[Any]) -> tuple[Any, list[Any]]:
        hidden, finals = hk.Embed(row.vocabulary, row.size)(tokens), []
        for carry in carries:
            core = cells[row.cell](row.size)
            hidden, final = hk.dynamic_unroll(core, hidden, carry, time_major=False)
            finals.append(final)
        return hk.Linear(row.vocabulary)(hidden), finals

    model = hk.without_apply_rng(hk.transform(forward))
    zeros = _zero_carry(row)
    if row.cell == "lstm":  # the state of Haiku begins with h, the state of flax with c
        zeros = hk.LSTMState(*zeros)
    carries = [zeros for _ in range(row.layers)]
    params = jax.jit(model.init)(jax.random.key(0), random_tokens(row)[0], carries)
    return _step(model.apply, params, carries, row, steps_a_call)


def _zero_carry(row: Row) -> Any:
    zeros = jnp.zeros((row.batch, row.size))
    return (zeros, zeros) if row.cell == "lstm" else zeros


def _step(
    apply: Callable[..., Any], params: Any, carries: Any, row: Row, steps_a_call: int
) -> Callable[[], float]:
    """Returns the train step of a function (params, tokens, carries) -> (logits, carries)."""
    inputs, targets = random_tokens(row)
    update = update_rule()
    state = (params, update.init(params), jax.tree.map(jnp.copy, carries))

    @partial(jax.jit, donate_argnums=0)
    def train(state: Any, inputs: Any, targets: Any) -> tuple[Any, Any]:
        params, optimizer_state, carries = state

        def loss(params: Any) -> Any:
            logits, finals = apply(params, inputs, carries)
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
            return losses.mean(), finals

        (value, finals), grads = jax.value_and_grad(loss, has_aux=True)(params)
        updates, optimizer_state = update.update(grads, optimizer_state, params)
        return (optax.apply_updates(params, updates), optimizer_state, finals), value

    def step() -> float:
        nonlocal state
        for _ in range(steps_a_call):
            state, value = train(state, inputs, targets)
        jax.block_until_ready(state)
        return float(value)

    return step
