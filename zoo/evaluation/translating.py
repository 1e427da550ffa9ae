"""Scores of a translator: teacher-forced and free-running, which are two different things.

With teacher forcing, the model reads the true target words and predicts the next one: perplexity
per target token. In free running, it reads its own words: BLEU and chrF of whole translations. If
gold alignments are known, they are compared with the attention of the teacher-forced pass.
"""

import dataclasses
import warnings
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zoo.data.batching import make_buckets
from zoo.data.examples import Pair
from zoo.data.labeled_batching import encode_texts
from zoo.data.loading import ParallelTexts
from zoo.data.parallel_batching import ParallelBatch, make_parallel_batch
from zoo.decoding.translation import (
    BATCH_SIZE,
    FINE_LENGTHS,
    MAX_SOURCE_TOKENS,
    TrainedTranslator,
    translate,
)
from zoo.errors import UserError
from zoo.evaluation.alignment import alignment_error_rate, links_of
from zoo.evaluation.bleu import score_texts
from zoo.fetching import fetch
from zoo.given import given_list
from zoo.layers.cross_entropy import token_losses
from zoo.layers.masks import real_steps
from zoo.models.output import Model
from zoo.models.trained import ModelOrName, require
from zoo.progress import track
from zoo.side_by_side import side_by_side
from zoo.types import Json, Params

Array = jax.Array

MOST_ELEMENTS = 2**18  # the most attention weights in a batch: 64 pairs of 64 words


@dataclasses.dataclass(frozen=True)
class TranslationScore:
    """Scores of a translator on N pairs.

    Attributes:
        bleu: 0 to 100, from its own translations.
        bleu_lowercase: BLEU of the lower-cased translations and references.
        chrf: chrF2, 0 to 100, from its own translations.
        signature: sacrebleu's record of how it computed BLEU.
        nats_per_token: the loss with teacher forcing, with the end of each sentence as a token.
        perplexity: exp(nats_per_token).
        alignment_error_rate: with teacher forcing; None without gold alignments or attention.
        num_examples: N.
        beam_size: the beam size of the search.
        translations: its translations.
    """

    bleu: float
    bleu_lowercase: float
    chrf: float
    signature: str
    nats_per_token: float
    perplexity: float
    alignment_error_rate: float | None
    num_examples: int
    beam_size: int
    translations: tuple[str, ...]

    def scores(self) -> dict[str, float]:
        """Returns the scores by name, with `error`, which training minimizes: 100 - BLEU."""
        names = ("bleu", "bleu_lowercase", "chrf", "nats_per_token", "perplexity")
        scores = {"error": 100 - self.bleu} | {name: getattr(self, name) for name in names}
        if self.alignment_error_rate is not None:
            scores["alignment_error_rate"] = self.alignment_error_rate
        return scores

    def to_json(self) -> Json:
        """Returns the scores by name and how they were measured, as plain JSON types."""
        scores = self.scores()
        del scores["error"]
        return {
            "beam_size": self.beam_size,
            **scores,
            "signature": self.signature,
            "num_examples": self.num_examples,
        }


def evaluate_translator(
    checkpoint: ModelOrName, pairs: ParallelTexts | Sequence[Pair], *, beam_size: int = 5
) -> TranslationScore:
    """Measures how well a translator translates sentence pairs.

    Args:
        checkpoint: a translator from `zoo.load`, or a name that `zoo.load` accepts.
        pairs: a list of tuples (source, reference) or of `zoo.Pair`, which may have an alignment;
            or a `ParallelTexts` of all sources and all references.
        beam_size: the number of beam hypotheses, at least 1; 1 means greedy decoding.

    Returns:
        BLEU and chrF from 0 to 100, the perplexity per target token, and the alignment error rate
        from 0 to 1, or None if the pairs have no alignments or the model has no attention.

    Raises:
        UserError: if the checkpoint is not a translator, there is no pair, or sacrebleu is missing.
    """
    trained = require(checkpoint, TrainedTranslator)
    if not isinstance(pairs, ParallelTexts):
        pairs = _columns(pairs)
    if not pairs.sources or len(pairs.sources) != len(pairs.targets):
        raise UserError(
            f"there are {len(pairs.sources)} sources and {len(pairs.targets)} targets; give the "
            "same number of both, at least one"
        )
    written = translate(trained, pairs.sources, beam_size=beam_size)
    if num_cut := sum(one.is_cut for one in written):
        warnings.warn(
            f"{num_cut} sources have more than {MAX_SOURCE_TOKENS} tokens; their ends were dropped",
            stacklevel=2,
        )
    translations = tuple(one.text for one in written)
    texts = score_texts(translations, pairs.targets)
    forced = force_targets(trained, pairs)
    nats = forced.nats / forced.num_tokens
    return TranslationScore(
        bleu=texts.bleu,
        bleu_lowercase=texts.bleu_lowercase,
        chrf=texts.chrf,
        signature=texts.signature,
        nats_per_token=nats,
        perplexity=float(np.exp(nats)),
        alignment_error_rate=_error_rate(trained, pairs, forced),
        num_examples=len(pairs.sources),
        beam_size=beam_size,
        translations=translations,
    )


def _columns(pairs: Sequence[Pair]) -> ParallelTexts:
    """Returns a list of pairs as columns."""
    rows = []
    for pair in given_list(pairs, "pairs"):
        sides = given_list(pair, "a pair")
        if len(sides) not in (2, 3) or not all(isinstance(side, str) for side in sides[:2]):
            raise TypeError(f"a pair is {pair!r}; give (source, reference), or a zoo.Pair")
        rows.append(Pair(*sides))
    return ParallelTexts(*map(list, zip(*rows, strict=True))) if rows else ParallelTexts([], [], [])


class Forced(NamedTuple):
    """The result of a teacher-forced pass over N pairs.

    Attributes:
        nats: the negative log-probability of all target tokens.
        num_tokens: the number of target tokens.
        weights: the attention weights [T, S] of each pair; empty without attention.
    """

    nats: float
    num_tokens: int
    weights: list[np.ndarray]


def force_targets(checkpoint: TrainedTranslator, pairs: ParallelTexts) -> Forced:
    """Runs teacher forcing on all pairs, in batches of similar length.

    Batches of long sentences are smaller. Sources are cut as `translate` cuts them.
    """
    sources, targets = pairs.sources, pairs.targets
    if checkpoint.lowercase:
        sources, targets = ([text.lower() for text in side] for side in (sources, targets))
    source_rows = encode_texts(checkpoint.source_vocabulary, sources, MAX_SOURCE_TOKENS)
    target_rows = encode_texts(checkpoint.vocabulary, targets)
    lengths = np.array([max(map(len, pair)) for pair in zip(source_rows, target_rows, strict=True)])
    plan = _plan(lengths)

    def read(part: tuple[np.ndarray, int, int]) -> tuple[np.ndarray, np.ndarray | None]:
        chosen, num_rows, num_steps = part
        filled = [*chosen, *[chosen[0]] * (num_rows - len(chosen))]  # one shape per bucket
        batch = make_parallel_batch(
            [source_rows[row] for row in filled], [target_rows[row] for row in filled], num_steps
        )
        return fetch(_force(checkpoint.model, checkpoint.params, batch))

    nats = 0.0
    weights: list[np.ndarray] = [np.empty(0)] * len(lengths)
    outputs = side_by_side(read, plan, checkpoint.params)
    for (chosen, _, _), (losses, found) in zip(track(plan, "scoring"), outputs, strict=True):
        nats += float(losses[: len(chosen)].astype(np.float64).sum())
        for place, row in enumerate(chosen):
            if found is not None:
                weights[row] = found[place, : len(target_rows[row]), : len(source_rows[row])]
    return Forced(nats, sum(map(len, target_rows)), weights)


def _plan(lengths: np.ndarray) -> list[tuple[np.ndarray, int, int]]:
    """Plans batches: their pairs, rows and steps. Attention has rows * steps^2 elements."""
    buckets = make_buckets(FINE_LENGTHS, int(lengths.max()))
    bucket_of = np.searchsorted(buckets, lengths)
    plan = []
    for number, num_steps in enumerate(buckets):
        num_rows = max(1, min(BATCH_SIZE, MOST_ELEMENTS // num_steps**2))
        chosen = np.flatnonzero(bucket_of == number)
        parts = range(0, len(chosen), num_rows)
        plan += [(chosen[at : at + num_rows], num_rows, num_steps) for at in parts]
    return plan


@partial(jax.jit, static_argnums=0)
def _force(model: Model, params: Params, batch: ParallelBatch) -> tuple[Array, Array | None]:
    """Returns the loss of each row [B] in nats, and the weights [B, T, S]."""
    output = model.apply({"params": params}, batch.sources, batch.source_lengths, batch.inputs)
    losses = token_losses(output.logits, jnp.asarray(batch.targets))
    real = real_steps(losses, jnp.asarray(batch.lengths))
    return jnp.where(real, losses, 0).sum(axis=1), output.weights


def _error_rate(
    checkpoint: TrainedTranslator, pairs: ParallelTexts, forced: Forced
) -> float | None:
    """Returns the AER of the pairs with gold alignments; None without such pairs or word tokens."""
    known = [number for number, links in enumerate(pairs.alignments) if links]
    if not known or checkpoint.model.config.context != "attention":
        return None
    if checkpoint.vocabulary.kind != "word" or checkpoint.source_vocabulary.kind != "word":
        return None
    found = [links_of(forced.weights[number]) for number in known]
    return alignment_error_rate(found, [pairs.alignments[number] for number in known])
