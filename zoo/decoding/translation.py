"""Translation of texts with a trained encoder-decoder, in batches of similar length.

Axes: B sources in a call, K hypotheses per source, S source steps, T target steps.
"""

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, NamedTuple

import jax
import numpy as np
from jax import Array

from zoo.checks import check_least
from zoo.data.batching import power_of_two, shift_targets
from zoo.data.labeled_batching import cut_rows, encode_texts, pad
from zoo.data.vocabulary import Vocabulary
from zoo.decoding.beam_search import Hypotheses, beam_search, draw_sequences
from zoo.decoding.settings import check_temperature
from zoo.errors import UserError
from zoo.fetching import fetch
from zoo.given import check_kinds, given_texts
from zoo.models.output import Model
from zoo.models.trained import Checkpoint, Kind, ModelOrName, TokenAxes, require
from zoo.progress import track
from zoo.side_by_side import side_by_side
from zoo.special_tokens import END, END_ID
from zoo.types import Json, Params
from zoo.whole_characters import require_whole_characters

TRANSLATOR = Kind("translator", "translate", "evaluate_translator")
BATCH_SIZE = 64
BUCKET_LENGTHS = (16, 32, 64, 128, 256)
FINE_LENGTHS = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256)  # less padding, for many texts
MAX_SOURCE_TOKENS = BUCKET_LENGTHS[-1] - 1  # without the end
MAX_BEAM_SIZE = 1000  # memory grows with the beam size
LENGTH_PENALTY = 1.0


@dataclasses.dataclass(frozen=True)
class Translation:
    """A source text and its translation.

    Attributes:
        source: the source text as it was given.
        text: its translation; "" for an empty source.
        score: the score in nats that beam search chose the translation by: log p(text | source)
            divided by T^length_penalty. After sampling or greedy decoding, it is
            log p(text | source).
        source_tokens: the S tokens that were read, the last of which is `</s>`.
        tokens: the T tokens that were written. The last token is `</s>`, unless the translation
            reached its largest length before, 2 S + 8.
        attention: float32[T, S], the weights of the source tokens for each written token; None for
            a model without attention.
        others: the n_best - 1 translations after the best, the better first, with their scores.
        is_cut: whether the last words of the source were dropped because the source is too long.
    """

    source: str
    text: str
    score: float
    source_tokens: tuple[str, ...]
    tokens: tuple[str, ...]
    attention: np.ndarray | None = dataclasses.field(compare=False)
    others: tuple[tuple[str, float], ...] = ()
    is_cut: bool = False

    def to_json(self) -> Json:
        """Returns the record as plain JSON types."""
        attention = None if self.attention is None else self.attention.tolist()
        others = [{"text": text, "score": score} for text, score in self.others]
        return {**vars(self), "attention": attention, "others": others}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TrainedTranslator(Checkpoint):
    """A trained encoder-decoder; `vocabulary` is its target vocabulary.

    Attributes:
        source_vocabulary: the vocabulary of its sources.
        lowercase: whether it was trained on lower-cased texts.
    """

    kind = TRANSLATOR
    token_axes: ClassVar[TokenAxes] = {
        "embedding": ("target", 0),  # shared by both sides, which then have one vocabulary
        "source_embedding": ("source", 0),
        "target_embedding": ("target", 0),
        "output_kernel": ("target", 1),
        "output_bias": ("target", 0),
    }

    source_vocabulary: Vocabulary
    lowercase: bool = False

    def _inputs(self) -> str:
        source = f"{len(self.source_vocabulary):,} {self.source_vocabulary.kind}"
        return f"{source} to {super()._inputs()}"

    @property
    def vocabulary_record(self) -> Json:
        """Both vocabularies as plain JSON, as in vocabulary.json of a checkpoint."""
        return {"source": self.source_vocabulary.to_json(), "target": self.vocabulary.to_json()}

    @property
    def tokens(self) -> dict[str, Sequence[str]]:
        """The tokens of both vocabularies by their ids."""
        return {"source": self.source_vocabulary.tokens, "target": self.vocabulary.tokens}


@dataclasses.dataclass(frozen=True)
class SearchSettings:
    """The settings of the search for translations.

    Attributes:
        beam_size: K, the number of beam hypotheses; 1 means greedy decoding.
        length_penalty: the power of the length by which scores are divided.
        temperature: if above 0, one translation is drawn with this temperature, without a search.
        seed: the random seed for drawing.
        n_best: the number of translations for each source, at most K.
        first_text: the number of the first text. Text i draws with the seed and first_text + i, so
            that texts given in parts are drawn as if they were given together.
    """

    beam_size: int = 5
    length_penalty: float = LENGTH_PENALTY
    temperature: float = 0.0
    seed: int = 0
    n_best: int = 1
    first_text: int = 0

    def __post_init__(self) -> None:
        check_kinds(self)
        if not 1 <= self.beam_size <= MAX_BEAM_SIZE:
            raise UserError(f"beam_size is {self.beam_size}; use 1 to {MAX_BEAM_SIZE}, such as 5")
        if not 1 <= self.n_best <= self.beam_size:
            raise UserError(
                f"n_best is {self.n_best}, but beam_size is {self.beam_size}; use an n_best from 1 "
                "to beam_size. Drawing with a temperature gives one translation"
            )
        check_least(0, "", self, "length_penalty")
        check_temperature(self.temperature)
        for name in ("seed", "first_text"):
            if not 0 <= getattr(self, name) < 2**32:
                raise UserError(f"{name} is {getattr(self, name)}; use 0 to {2**32 - 1}")
        if self.temperature and self.beam_size > 1:
            raise UserError(
                f"temperature is {self.temperature}, but beam_size is {self.beam_size}; use "
                "beam_size 1 to draw translations"
            )


def translate(
    checkpoint: ModelOrName, texts: str | Sequence[str], **settings: Any
) -> list[Translation]:
    """Translates texts. The translation of a text does not depend on the other texts.

    Args:
        checkpoint: a translator from `zoo.load`, or a name that `zoo.load` accepts.
        texts: a list of texts, or one text; a newline counts as a space.
        **settings: the fields of `SearchSettings`: beam_size (5 unless a temperature is given),
            length_penalty, temperature, seed, n_best and first_text.

    Returns:
        A record for each text, in order.

    Raises:
        UserError: if the checkpoint is not a translator, a setting is out of its bounds, or a text
            has a lone surrogate, which is invalid Unicode.
        TypeError: if a setting is unknown.

    Example:
        >>> from zoo.data.vocabulary import build_vocabulary
        >>> from zoo.models.encoder_decoder import EncoderDecoder, EncoderDecoderConfig
        >>> source, target = (build_vocabulary("word", [line]) for line in ("ja nein", "yes no"))
        >>> config = EncoderDecoderConfig(embedding_size=4, hidden_size=4)
        >>> model, ones = EncoderDecoder(config, 5, 5), np.ones((1, 1), np.int32)
        >>> params = jax.jit(model.init)(jax.random.key(0), ones, ones[0], ones)["params"]
        >>> checkpoint = TrainedTranslator(
        ...     model=model, params=params, vocabulary=target, source_vocabulary=source
        ... )
        >>> found = translate(checkpoint, ["ja", ""], beam_size=2)
        >>> found[0].source_tokens, found[0].attention.shape[1], found[1].text
        (('ja', '</s>'), 2, '')
    """
    trained = require(checkpoint, TrainedTranslator)
    if settings.get("temperature"):
        settings = {"beam_size": 1, **settings}
    chosen = SearchSettings(**settings)
    texts = given_texts(texts)
    for number, text in enumerate(texts, 1):
        require_whole_characters(text, f"text {number}")
    given = [" ".join((text.lower() if trained.lowercase else text).split()) for text in texts]
    whole = encode_texts(trained.source_vocabulary, given)
    rows = cut_rows(whole, MAX_SOURCE_TOKENS)
    wanted = [number for number, text in enumerate(given) if text]
    found = [Translation(text, "", 0.0, (), (), None) for text in texts]
    order = sorted(wanted, key=lambda number: len(rows[number]))
    batches = [order[start : start + BATCH_SIZE] for start in range(0, len(order), BATCH_SIZE)]

    lengths = BUCKET_LENGTHS if len(batches) == 1 else FINE_LENGTHS

    def search_batch(numbers: list[int]) -> Found:
        return search(trained, [rows[number] for number in numbers], numbers, chosen, lengths)

    results = side_by_side(search_batch, batches, trained.params)
    for numbers, batch in zip(track(batches, "translating"), results, strict=True):
        for place, number in enumerate(numbers):
            one = _record(trained, texts[number], rows[number], batch, place, chosen.n_best)
            is_cut = len(whole[number]) > len(rows[number])
            found[number] = dataclasses.replace(one, is_cut=is_cut)
    return found


class Found(NamedTuple):
    """The result of a search for a batch: hypotheses, and the best one's attention [B, T, S]."""

    hypotheses: Hypotheses
    weights: np.ndarray | None


def search(
    checkpoint: TrainedTranslator,
    rows: Sequence[np.ndarray],
    numbers: Sequence[int],
    settings: SearchSettings,
    bucket_lengths: Sequence[int] = BUCKET_LENGTHS,
) -> Found:
    """Translates a batch of sources.

    Args:
        checkpoint: a translator.
        rows: int32[S] of each source, its tokens and `END_ID`.
        numbers: the position of each source among all texts of the request. In sampling, the random
            key of a source is made from the seed and this number.
        settings: beam size, temperature, length penalty and seed.
        bucket_lengths: the lengths that sources may be padded to; each has programs of its own.

    Returns:
        The hypotheses of each source, and the attention of the best hypothesis.
    """
    missing = power_of_two(len(rows)) - len(rows)
    sources, lengths = pad([*rows, *[rows[0]] * missing], _num_steps(rows, bucket_lengths))
    num_steps = sources.shape[1]
    limits, max_steps = (2 * size + 8 for size in (lengths, num_steps))
    inputs = (checkpoint.model, checkpoint.params, sources, lengths)
    if settings.beam_size == 1:
        seed_key = jax.random.key(np.uint32(settings.seed))
        drawers = np.array([*numbers, *[0] * missing], np.uint32)
        drawers = drawers + np.uint32(settings.first_text)
        keys = jax.vmap(partial(jax.random.fold_in, seed_key))(drawers)
        temperature = np.float32(settings.temperature)
        return Found(
            *fetch(draw_sequences(*inputs, limits, keys, temperature, max_steps=max_steps))
        )
    hypotheses = fetch(
        beam_search(
            *inputs,
            limits,
            np.float32(settings.length_penalty),
            beam_size=settings.beam_size,
            max_steps=max_steps,
        )
    )
    weights = None
    if checkpoint.model.config.context == "attention":
        best = shift_targets(hypotheses.tokens[:, 0])
        if np.max(hypotheses.lengths[:, 0]) <= num_steps:  # as nearly always
            best = best[:, :num_steps]
        weights = fetch(attention_weights(*inputs, best))
    return Found(hypotheses, weights)


def _num_steps(rows: Sequence[np.ndarray], bucket_lengths: Sequence[int]) -> int:
    """Returns the length that sources are padded to."""
    return bucket_lengths[int(np.searchsorted(bucket_lengths, max(map(len, rows))))]


def compile_search(
    checkpoint: TrainedTranslator, length: int, num_texts: int, settings: SearchSettings
) -> None:
    """Compiles all programs that `search` may call for a batch of sources.

    Args:
        checkpoint: a translator.
        length: the length of the longest source, with its end.
        num_texts: the number of sources, a power of two.
        settings: the beam size is used.
    """
    rows = [np.full(length, END_ID, np.int32)] * num_texts
    found = search(checkpoint, rows, range(num_texts), settings)
    if settings.beam_size > 1 and found.weights is not None:
        sources, lengths = pad(rows, _num_steps(rows, BUCKET_LENGTHS))
        best = shift_targets(np.asarray(found.hypotheses.tokens[:, 0]))
        for targets in (best, best[:, : sources.shape[1]]):
            attention_weights(checkpoint.model, checkpoint.params, sources, lengths, targets)


@partial(jax.jit, static_argnums=0)
def attention_weights(
    model: Model, params: Params, sources: Array, source_lengths: Array, inputs: Array
) -> Array:
    """Returns float32[B, T, S], the attention of each target step when the inputs are read."""
    return model.apply({"params": params}, sources, source_lengths, inputs).weights


def _record(
    checkpoint: TrainedTranslator,
    text: str,
    row: np.ndarray,
    found: Found,
    place: int,
    n_best: int,
) -> Translation:
    """Returns the translation of one source of a batch."""
    hypotheses, vocabulary = found.hypotheses, checkpoint.vocabulary
    written: list[tuple[str, float]] = []
    for rank in range(min(n_best, hypotheses.tokens.shape[1])):
        score = float(hypotheses.scores[place, rank])
        if np.isfinite(score):
            tokens = hypotheses.tokens[place, rank, : hypotheses.lengths[place, rank]]
            line = vocabulary.decode(tokens[tokens != END_ID])
            written.append((line, score))
    length = int(hypotheses.lengths[place, 0])
    weights = None
    if found.weights is not None:
        weights = found.weights[place, :length, : len(row)]
    return Translation(
        source=text,
        text=written[0][0],
        score=written[0][1],
        source_tokens=_surfaces(checkpoint.source_vocabulary, row),
        tokens=_surfaces(vocabulary, np.asarray(hypotheses.tokens[place, 0, :length])),
        attention=weights,
        others=tuple(written[1:]),
    )


def _surfaces(vocabulary: Vocabulary, tokens: np.ndarray) -> tuple[str, ...]:
    return tuple(END if token == END_ID else vocabulary.tokens[token] for token in tokens.tolist())
