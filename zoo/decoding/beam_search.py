"""Target sentences from an encoder-decoder: greedy decoding, sampling, or beam search.

    score(y) = log p(y | x) / |y|^a          |y| is the number of tokens, with the end

Every search is one jitted loop over target steps for a batch of sources. Its state has a fixed
shape, and it ends as soon as no row can change. The first token is `<s>`; `<s>` and `<unk>` are
never written.

Axes: B sources, K hypotheses per source, T target steps, S source steps, V target vocabulary.
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
    """The K best hypotheses for each source, the best first.

    Attributes:
        tokens: int32[B, K, T], the tokens after `<s>`; `END_ID` ends them and fills the rest.
        lengths: int32[B, K], the number of tokens with the end; T if the hypothesis was cut.
        log_probabilities: float32[B, K], log p(y | x) in nats.
        scores: float32[B, K], the scores that order them; minus infinity for an empty place.
    """

    tokens: Array
    lengths: Array
    log_probabilities: Array
    scores: Array


@partial(jax.jit, static_argnames=("model", "max_steps"))
def draw_sequences(
    model: "EncoderDecoder",
    params: Params,
    sources: Array,
    source_lengths: Array,
    limits: Array,
    keys: Array,
    temperature: Array,
    *,
    max_steps: int,
) -> tuple[Hypotheses, Array | None]:
    """Draws one sentence for each source, token by token.

    Args:
        model: an encoder-decoder.
        params: its parameters.
        sources: int32[B, S].
        source_lengths: int32[B].
        limits: int32[B], the number of tokens at which the sentence of each source is cut.
        keys: random keys [B].
        temperature: divides the logits; 0 always takes the most probable token (greedy decoding).
        max_steps: T, at least the largest limit.

    Returns:
        Hypotheses with K = 1; scores are log-probabilities by the model's own distribution. And
        float32[B, T, S], the attention of each token to the source; None without attention.
    """
    memory, state = _begin(model, params, sources, source_lengths, max_steps)
    batch = sources.shape[0]

    def step(loop: tuple) -> tuple:
        index, last, state, tokens, total, ended, looked = loop
        logits, state, look = _next(model, params, last, memory, state)
        now_keys = jax.vmap(jax.random.fold_in, (0, None))(keys, index)
        now = sample(now_keys, logits, temperature=temperature)
        now = jnp.where(ended, END_ID, now)
        gain = jnp.take_along_axis(jax.nn.log_softmax(logits), now[:, None], axis=1)[:, 0]
        total = total + jnp.where(ended, 0, gain)
        tokens = lax.dynamic_update_slice(tokens, now[:, None], (0, index))
        if look is not None:
            looked = lax.dynamic_update_slice(looked, look, (0, index, 0))
        ended = ended | (now == END_ID) | (index + 1 >= limits)
        return index + 1, now, state, tokens, total, ended, looked

    attends = model.config.context == "attention"
    start = (
        jnp.int32(0),
        jnp.full(batch, START_ID, jnp.int32),
        state,
        jnp.full((batch, max_steps), END_ID, jnp.int32),
        jnp.zeros(batch),
        jnp.zeros(batch, bool),
        jnp.zeros((batch, max_steps, sources.shape[1])) if attends else None,
    )
    final = lax.while_loop(lambda loop: (loop[0] < max_steps) & ~loop[5].all(), step, start)
    tokens, total = final[3][:, None], final[4][:, None]
    lengths = jnp.minimum(_lengths(tokens), limits[:, None])
    return Hypotheses(tokens, lengths, total, total), final[6]


class _Beam(NamedTuple):
    """The search after some steps: K unfinished hypotheses and the K best finished ones.

    Attributes:
        num_steps: int32, the number of steps taken.
        state: the decoder's state, rows [B*K].
        tokens: int32[B, K, T], the tokens of the unfinished hypotheses.
        totals: float32[B, K], the log-probabilities of the unfinished hypotheses.
        ended: the finished hypotheses.
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
    limits: Array,
    length_penalty: Array,
    *,
    beam_size: int,
    max_steps: int,
) -> Hypotheses:
    """Returns the best sentences for each source that a beam search of width K finds.

    At every step, each hypothesis is extended by every token. Extensions by the end token compete
    for the K places of finished hypotheses if they are among the K best extensions. The K best
    other extensions continue. So a search of width 1 with length_penalty 0 is greedy decoding. The
    search ends when no unfinished hypothesis can beat a finished one, or at a source's limit, where
    unfinished hypotheses count as finished.

    Args:
        model: an encoder-decoder.
        params: its parameters.
        sources: int32[B, S].
        source_lengths: int32[B].
        limits: int32[B], the number of tokens at which the sentences of each source are cut.
        length_penalty: a; 0 compares sentences by log p(y | x), 1 by its mean per token.
        beam_size: K.
        max_steps: T, at least the largest limit.
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
        lowest.at[:, 0].set(0.0),  # all K start equal, so only one of them may count
        Hypotheses(blank, jnp.zeros(shape, jnp.int32), lowest, lowest),
    )

    def goes_on(beam: _Beam) -> Array:
        best = beam.totals[:, 0] / limits.astype(jnp.float32) ** length_penalty  # the upper bound
        return (best > beam.ended.scores[:, -1]).any()

    extend = partial(_extend, model, params, memory, limits[:, None], length_penalty)
    return lax.while_loop(goes_on, extend, start).ended


def _extend(
    model: Model,
    params: Params,
    memory: PyTree,
    limits: Array,
    length_penalty: Array,
    beam: _Beam,
) -> _Beam:
    """Takes one step of the search; the limits are int32[B, 1]."""
    batch, width, _ = beam.tokens.shape
    before = beam.tokens[:, :, jnp.maximum(beam.num_steps - 1, 0)]
    last = jnp.where(beam.num_steps == 0, START_ID, before)
    logits, state, _ = _next(model, params, last.reshape(-1), memory, beam.state)
    gains = forbid_special(jax.nn.log_softmax(logits))
    # The best 2K of K*V: first for each hypothesis, since sorting rows of V is cheaper.
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
    # An extension that has ended is kept with a score that is never chosen again.
    totals, alive = lax.top_k(jnp.where(now == END_ID, -jnp.inf, totals), width)
    parents = jnp.take_along_axis(parents, alive, axis=1)
    rows = (jnp.arange(batch)[:, None] * width + parents).reshape(-1)
    tokens = jnp.take_along_axis(tokens, alive[:, :, None], axis=1)
    is_cut = length >= limits
    scores = jnp.where(is_cut, totals / length**length_penalty, -jnp.inf)
    cut = Hypotheses(tokens, jnp.full(totals.shape, length), totals, scores)
    return _Beam(
        length,
        jax.tree.map(lambda array: array[rows] if array.ndim else array, state),
        tokens,
        jnp.where(is_cut, -jnp.inf, totals),
        _best(beam.ended, ended, cut),
    )


def _best(first: Hypotheses, *others: Hypotheses) -> Hypotheses:
    """Returns the best hypotheses of all; the number K is the K of the first."""
    joined = [jnp.concatenate(parts, axis=1) for parts in zip(first, *others, strict=True)]
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
    """Encodes the sources, and returns the decoder's memory and first state."""

    def both(module: "EncoderDecoder") -> tuple[PyTree, PyTree]:
        return module.begin(module.encode(sources, source_lengths), room)

    return model.apply({"params": params}, method=both)


def _next(
    model: Model, params: Params, last: Array, memory: PyTree, state: PyTree
) -> tuple[Array, PyTree, Array | None]:
    """Returns the logits [B, V] after the tokens int32[B], the state, the attention [B, 1, S]."""
    output = model.apply({"params": params}, last[:, None], memory, state, method="decode")
    return output.logits[:, 0], output.state, output.weights


def _repeat(tree: PyTree, times: int) -> PyTree:
    """Repeats each row of arrays [B, ...] the given number of times; scalars stay as they are."""
    return jax.tree.map(lambda a: jnp.repeat(a, times, axis=0) if a.ndim else a, tree)


def _lengths(tokens: Array) -> Array:
    """Returns the number of tokens up to the first end and with it; all if there is no end."""
    is_end = tokens == END_ID
    return jnp.where(is_end.any(axis=-1), is_end.argmax(axis=-1) + 1, tokens.shape[-1])
