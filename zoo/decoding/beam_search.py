"""From an encoder-decoder to target sentences: greedy, drawn, or the best found by beam search.

    score(y) = log p(y | x) / |y|^a          |y| counts tokens, the end among them

Every search is one jitted loop over target steps for a batch of sources, with a state of fixed
shape; it ends as soon as no row can change. The first token is `<s>`; `<s>` and `<unk>` are never
written.

Axes: B sources, K hypotheses of a source, T target steps, S source steps, V target vocabulary.
"""

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from zoo.decoding.sampling import forbid_special, sample
from zoo.models.output import Model
from zoo.special_tokens import END_ID, START_ID
from zoo.types import Params, PyTree

if TYPE_CHECKING:
    from zoo.models.encoder_decoder import EncoderDecoder

Array = jax.Array


class Hypotheses(NamedTuple):
    """The K best target sentences found for each source, the best first.

    Attributes:
        tokens: int32[B, K, T], after `<s>`; ended by `END_ID`, which also fills what follows.
        lengths: int32[B, K], tokens of each, its end included; T where it was cut.
        log_probabilities: float32[B, K], log p(y | x) in nats.
        scores: float32[B, K], what they are ordered by; minus infinity where there is none.
    """

    tokens: Array
    lengths: Array
    log_probabilities: Array
    scores: Array


@partial(jax.jit, static_argnames=("model", "max_steps"))
def draw_sequences(
    model: Model,
    params: Params,
    sources: Array,
    source_lengths: Array,
    keys: Array,
    temperature: Array,
    *,
    max_steps: int,
) -> Hypotheses:
    """One sentence for each source, token by token.

    Args:
        model: an encoder-decoder.
        params: its parameters.
        sources: int32[B, S].
        source_lengths: int32[B].
        keys: random keys [B].
        temperature: divides the logits; 0 takes the most probable token each time (greedy).
        max_steps: T, at which a sentence is cut.

    Returns:
        Hypotheses with K = 1; scores are log-probabilities of the model's own distribution.
    """
    memory, state = _begin(model, params, sources, source_lengths, max_steps)
    batch = sources.shape[0]
    draw = jax.vmap(partial(sample, temperature=temperature))

    def step(loop: tuple) -> tuple:
        index, last, state, tokens, total, ended = loop
        logits, state = _next(model, params, last, memory, state)
        now = draw(jax.vmap(jax.random.fold_in, (0, None))(keys, index), logits)
        now = jnp.where(ended, END_ID, now)
        gain = jnp.take_along_axis(jax.nn.log_softmax(logits), now[:, None], axis=1)[:, 0]
        total = total + jnp.where(ended, 0, gain)
        tokens = lax.dynamic_update_slice(tokens, now[:, None], (0, index))
        return index + 1, now, state, tokens, total, ended | (now == END_ID)

    start = (
        jnp.int32(0),
        jnp.full(batch, START_ID, jnp.int32),
        state,
        jnp.full((batch, max_steps), END_ID, jnp.int32),
        jnp.zeros(batch),
        jnp.zeros(batch, bool),
    )
    final = lax.while_loop(lambda loop: (loop[0] < max_steps) & ~loop[5].all(), step, start)
    tokens, total = final[3][:, None], final[4][:, None]
    return Hypotheses(tokens, _lengths(tokens), total, total)


class _Beam(NamedTuple):
    """The search after some steps: K hypotheses that go on and the K best that have ended.

    Attributes:
        num_steps: int32, steps taken.
        state: the decoder's, rows [B*K].
        tokens: int32[B, K, T] of those that go on.
        totals: float32[B, K], their log-probabilities.
        ended: those that have ended.
    """

    num_steps: Array
    state: PyTree
    tokens: Array
    totals: Array
    ended: Hypotheses


@partial(jax.jit, static_argnames=("model", "beam_size", "max_steps"))
def beam_search(
    model: Model,
    params: Params,
    sources: Array,
    source_lengths: Array,
    length_penalty: Array,
    *,
    beam_size: int,
    max_steps: int,
) -> Hypotheses:
    """The best sentences for each source that a search of width K finds.

    At every step each hypothesis is extended by every token; of the best K extensions those that
    end compete for the K places of ended ones, and the best K others go on, so that a search of
    width 1 with length_penalty 0 is greedy. The search ends when
    no hypothesis that goes on can still beat an ended one, or after T steps, when what goes on
    counts as ended.

    Args:
        model: an encoder-decoder.
        params: its parameters.
        sources: int32[B, S].
        source_lengths: int32[B].
        length_penalty: a; 0 compares sentences by their probability, 1 by that of a token.
        beam_size: K.
        max_steps: T.
    """
    memory, state = _begin(model, params, sources, source_lengths, max_steps)
    batch = sources.shape[0]
    memory, state = (_repeat(tree, beam_size) for tree in (memory, state))
    shape = (batch, beam_size)
    lowest = jnp.full(shape, -jnp.inf)
    blank = jnp.full((*shape, max_steps), END_ID, jnp.int32)
    start = _Beam(
        jnp.int32(0),
        state,
        blank,
        lowest.at[:, 0].set(0.0),  # all K start equal, and only one may count
        Hypotheses(blank, jnp.zeros(shape, jnp.int32), lowest, lowest),
    )

    def goes_on(beam: _Beam) -> Array:
        best = beam.totals[:, 0] / jnp.float32(max_steps) ** length_penalty  # the most it can reach
        return (beam.num_steps < max_steps) & (best > beam.ended.scores[:, -1]).any()

    extend = partial(_extend, model, params, memory, length_penalty)
    final = lax.while_loop(goes_on, extend, start)
    reached = jnp.full(shape, final.num_steps)
    cut = final.num_steps == max_steps
    scores = jnp.where(cut, final.totals / reached**length_penalty, -jnp.inf)
    unended = Hypotheses(final.tokens, reached, final.totals, scores)
    return _best(final.ended, unended)


def _extend(
    model: Model, params: Params, memory: PyTree, length_penalty: Array, beam: _Beam
) -> _Beam:
    """One step of the search."""
    batch, width, _ = beam.tokens.shape
    before = beam.tokens[:, :, jnp.maximum(beam.num_steps - 1, 0)]
    last = jnp.where(beam.num_steps == 0, START_ID, before)
    logits, state = _next(model, params, last.reshape(-1), memory, beam.state)
    gains = forbid_special(jax.nn.log_softmax(logits))
    # The best 2K of K*V: first of each hypothesis, since a sort of rows of V is the cheaper one.
    count = min(2 * width, gains.shape[1])
    gain, token = (array.reshape(batch, width, count) for array in lax.top_k(gains, count))
    totals = (beam.totals[:, :, None] + gain).reshape(batch, -1)
    totals, chosen = lax.top_k(totals, min(2 * width, totals.shape[1]))
    parents = chosen // count
    now = jnp.take_along_axis(token.reshape(batch, -1), chosen, axis=1)
    tokens = jnp.take_along_axis(beam.tokens, parents[:, :, None], axis=1)
    tokens = lax.dynamic_update_slice(tokens, now[:, :, None], (0, 0, beam.num_steps))
    length = beam.num_steps + 1
    ends = (now == END_ID) & (jnp.arange(now.shape[1]) < width)[None]
    scores = jnp.where(ends, totals / length**length_penalty, -jnp.inf)
    ended = Hypotheses(tokens, jnp.full(now.shape, length), totals, scores)
    # An extension that ended goes on as one that can't be chosen any more.
    totals, alive = lax.top_k(jnp.where(now == END_ID, -jnp.inf, totals), width)
    parents = jnp.take_along_axis(parents, alive, axis=1)
    rows = (jnp.arange(batch)[:, None] * width + parents).reshape(-1)
    return _Beam(
        length,
        jax.tree.map(lambda array: array[rows] if array.ndim else array, state),
        jnp.take_along_axis(tokens, alive[:, :, None], axis=1),
        totals,
        _best(beam.ended, ended),
    )


def _best(first: Hypotheses, second: Hypotheses) -> Hypotheses:
    """The best K of both, K as many as the first has."""
    joined = [jnp.concatenate(pair, axis=1) for pair in zip(first, second, strict=True)]
    tokens, lengths, totals, scores = joined
    scores, chosen = lax.top_k(scores, first.scores.shape[1])
    return Hypotheses(
        jnp.take_along_axis(tokens, chosen[:, :, None], axis=1),
        jnp.take_along_axis(lengths, chosen, axis=1),
        jnp.take_along_axis(totals, chosen, axis=1),
        scores,
    )


def _begin(
    model: Model, params: Params, sources: Array, source_lengths: Array, room: int
) -> tuple[PyTree, PyTree]:
    """The sources encoded, as the decoder's memory and first state."""

    def both(module: "EncoderDecoder") -> tuple[PyTree, PyTree]:
        return module.begin(module.encode(sources, source_lengths), room)

    return model.apply({"params": params}, method=both)


def _next(
    model: Model, params: Params, last: Array, memory: PyTree, state: PyTree
) -> tuple[Array, PyTree]:
    """Logits [B, V] after the tokens int32[B], and the state with them."""
    output = model.apply({"params": params}, last[:, None], memory, state, method="decode")
    return output.logits[:, 0], output.state


def _repeat(tree: PyTree, times: int) -> PyTree:
    """Each row of arrays [B, ...] so many times; scalars as they are."""
    return jax.tree.map(lambda a: jnp.repeat(a, times, axis=0) if a.ndim else a, tree)


def _lengths(tokens: Array) -> Array:
    """Tokens up to the first end, and with it; all where there is none."""
    is_end = tokens == END_ID
    return jnp.where(is_end.any(axis=-1), is_end.argmax(axis=-1) + 1, tokens.shape[-1])
