"""Exact perplexity of a language model on text: every token is scored once.

    nats       = -sum_i log p(w_i | tokens before it)          i over all N tokens, `</s>` included
    perplexity = exp(nats / N)                                 (Jelinek et al. 1977)
    bits per character = nats / (ln 2 * number of characters)

The model reads `<s>` before each sentence, and predicts the `</s>` after it without reading it. In
mode "stream", it carries its state over sentences. In mode "sentence", it starts anew at each
`<s>`.

Axes: B rows, T time, V vocabulary, N tokens.
"""

import dataclasses
import itertools
import math
import warnings
from collections.abc import Sequence
from functools import partial

import jax
import numpy as np
from jax import Array

from zoo.data.batching import pad_rows, shift_targets
from zoo.data.vocabulary import count_unknown, encode_lines
from zoo.errors import Note, UserError
from zoo.evaluation.modes import MODES, Mode
from zoo.fetching import fetch
from zoo.given import given_texts
from zoo.layers.cross_entropy import token_losses
from zoo.models.output import LanguageModel, ScoresItself
from zoo.models.trained import ModelOrName, TrainedModel, require_language_model
from zoo.progress import track
from zoo.side_by_side import num_side_by_side, row_groups, side_by_side
from zoo.special_tokens import END_ID, START_ID, UNKNOWN, UNKNOWN_ID
from zoo.types import Json, Params, PyTree

# The number of elements [B, T] in one call. Logits take most memory: 10 MB for 10,000 words.
CALL_ELEMENTS = 256
SENTENCE_ROWS = 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class Score:
    """The score of a model on a text: sums, and the measures that follow from them.

    Attributes:
        num_tokens: the number of scored tokens, including the end of each sentence.
        num_characters: the number of characters of the text, including one newline per line.
        num_unknown: the number of scored tokens that are `<unk>`.
        nats: the negative log-probability of all scored tokens.
        mode: "stream" or "sentence", see the top of this file.

    Example:
        >>> score = Score(num_tokens=4, num_characters=8, num_unknown=0, nats=4 * math.log(16))
        >>> round(score.perplexity, 6), score.bits_per_character
        (16.0, 2.0)
    """

    num_tokens: int
    num_characters: int
    num_unknown: int
    nats: float
    mode: Mode = "stream"

    @property
    def nats_per_token(self) -> float:
        """The mean negative log-probability of a token."""
        return self.nats / self.num_tokens

    @property
    def perplexity(self) -> float:
        """exp(nats_per_token); it is V for a model that gives all V tokens equal probability."""
        try:
            return math.exp(self.nats_per_token)
        except OverflowError:
            return math.inf

    @property
    def bits_per_character(self) -> float:
        """Bits per character. Unknown characters count as `<unk>`, so look at num_unknown too."""
        return self.nats / math.log(2) / self.num_characters

    def to_json(self) -> Json:
        """Returns the scores by name, as plain JSON types."""
        return {
            "mode": self.mode,
            "perplexity": self.perplexity,
            "nats_per_token": self.nats_per_token,
            "bits_per_character": self.bits_per_character,
            "num_tokens": self.num_tokens,
            "num_characters": self.num_characters,
            "num_unknown": self.num_unknown,
        }


def warn_of_unknown(score: Score) -> None:
    """Warns the caller of the public function if some scored tokens are unknown to the model."""
    unknown, tokens = score.num_unknown, score.num_tokens
    if unknown:
        warnings.warn(
            f"{unknown:,} of {tokens:,} tokens ({unknown / tokens:.1%}) are {UNKNOWN} to the "
            "model, so do not compare its perplexity with a model that knows them",
            Note,
            stacklevel=3,
        )


def perplexity(
    checkpoint: ModelOrName, text: str | Sequence[str], *, mode: Mode = "stream"
) -> float:
    """Returns the perplexity of a checkpoint's model on a text; the arguments are as in `evaluate`.

    Warns:
        Note: if the model does not know some tokens. The score of `evaluate` counts them.

    Example:
        >>> from zoo.data.vocabulary import build_vocabulary
        >>> from zoo.models.ngram_lm import NGramConfig, NGramLM
        >>> from zoo.models.trained import TrainedLanguageModel
        >>> vocabulary = build_vocabulary("character", ["ab"])
        >>> vocabulary.tokens
        ['<unk>', '<s>', '</s>', 'a', 'b']
        >>> unigrams = {"order_1": {"log_prob": np.log([0.1, 0.1, 0.2, 0.4, 0.2])}}
        >>> model = NGramLM(NGramConfig(order=1), len(vocabulary))
        >>> checkpoint = TrainedLanguageModel(model=model, params=unigrams, vocabulary=vocabulary)
        >>> round(perplexity(checkpoint, "aab"), 4)  # (0.4 * 0.4 * 0.2 * 0.2) ** (-1 / 4)
        3.5355
    """
    score = evaluate(checkpoint, text, mode=mode)
    warn_of_unknown(score)
    return score.perplexity


def evaluate(checkpoint: ModelOrName, text: str | Sequence[str], *, mode: Mode = "stream") -> Score:
    """Evaluates a checkpoint's model on a text.

    Args:
        checkpoint: a checkpoint from `zoo.load`, or a name that `zoo.load` accepts.
        text: a string, in which a newline ends a sentence, or its lines without newlines.
        mode: "stream" carries the state over sentences, "sentence" resets it at each sentence.

    Returns:
        The score of all tokens.

    Raises:
        UserError: if the text is empty, the mode is unknown, or the score is not finite.
    """
    model = require_language_model(checkpoint, to_measure=True)
    lines = text_lines(text)
    score = score_tokens(
        model.model,
        model.params,
        encode_lines(model.vocabulary, lines),
        num_characters=sum(len(line) + 1 for line in lines),
        mode=mode,
    )
    if not math.isfinite(score.nats):
        raise UserError(_not_finite(model, lines, mode))
    return score


def _not_finite(checkpoint: TrainedModel, lines: list[str], mode: Mode) -> str:
    """Returns an error that names the first token without a finite log-probability."""
    model, vocabulary = checkpoint.model, checkpoint.vocabulary
    tokens = encode_lines(vocabulary, lines)
    log_probabilities = token_log_probabilities(model, checkpoint.params, tokens, mode=mode)
    place = int(np.flatnonzero(~np.isfinite(log_probabilities))[0])
    number = int(np.count_nonzero(tokens[:place] == END_ID))
    num_before = len(encode_lines(vocabulary, lines[:number])) if number else 0
    position, num_tokens = place - num_before, len(vocabulary.encode(lines[number]))
    # An unknown token is named as the text writes it, if the tokens are words or characters.
    written = vocabulary.tokens[tokens[place]]
    for parts in (lines[number].split(), lines[number]):
        if len(parts) == num_tokens and position < num_tokens:
            written = parts[position]
            break
    start = f"{checkpoint.name} gives {written!r} in line {number + 1}"
    value = float(log_probabilities[place])
    if value != -math.inf:
        return f"{start} log-probability {value}, so its training diverged; use another checkpoint"
    if tokens[place] == UNKNOWN_ID:
        return f"{start}, an unknown token, probability 0: it has no <unk>; use another checkpoint"
    return (
        f"{start} probability 0, as maximum_likelihood n-grams do for n-grams that they have not "
        "seen; use another checkpoint"
    )


def text_lines(text: str | Sequence[str]) -> list[str]:
    """Returns the lines of a text that is to be scored.

    Raises:
        UserError: if all lines are empty.

    Example:
        >>> text_lines("one\\n\\ntwo\\n")
        ['one', '', 'two']
    """
    parts = text.removesuffix("\n").split("\n") if isinstance(text, str) else text
    lines = given_texts(parts, "text")
    if not any(lines):
        raise UserError("the text is empty; give at least one line to score")
    return lines


def score_tokens(
    model: LanguageModel,
    params: Params,
    tokens: np.ndarray,
    *,
    num_characters: int,
    mode: Mode = "stream",
    num_streams: int = 1,
) -> Score:
    """Evaluates a model on a token stream; the arguments are as in `token_log_probabilities`.

    Args:
        model: a language model module.
        params: its parameters.
        tokens: int32[N], the tokens of each sentence followed by `</s>`.
        num_characters: the number of characters of the text, newlines included.
        mode: "stream" or "sentence".
        num_streams: see `token_log_probabilities`.

    Returns:
        The sums over all N tokens.
    """
    log_probabilities = token_log_probabilities(
        model, params, tokens, mode=mode, num_streams=num_streams
    )
    return Score(
        num_tokens=len(tokens),
        num_characters=num_characters,
        num_unknown=count_unknown(tokens),
        nats=0.0 - float(log_probabilities.sum(dtype=np.float64)),  # avoids -0.0 if the sum is 0
        mode=mode,
    )


def token_log_probabilities(
    model: LanguageModel,
    params: Params,
    tokens: np.ndarray,
    *,
    mode: Mode = "stream",
    num_streams: int = 1,
    call_elements: int = CALL_ELEMENTS,
) -> np.ndarray:
    """Returns the log-probability of each token after the tokens before it.

    Args:
        model: a language model module.
        params: its parameters.
        tokens: int32[N], N >= 1: the tokens of each sentence followed by `</s>`, without `<s>`.
        mode: "stream" or "sentence", see above.
        num_streams: in mode "stream", the number of pieces, at least 1, that the tokens are cut
            into. Each piece starts with `<s>`, and all are scored side by side. This is faster, but
            the first tokens of a piece lack their context. 1 is exact. Mode "sentence" ignores it.
        call_elements: the largest number of tokens scored at a time, padding included.

    Returns:
        float32[N], the natural logarithm of the probability of each token.

    Raises:
        UserError: if there are no tokens, or the mode is unknown.
    """
    if mode not in MODES:
        raise UserError(f"mode is {mode!r}; use one of {', '.join(MODES)}")
    if not len(tokens):
        raise UserError("there are no tokens to score; give a text of at least one line")
    inputs = shift_targets(tokens)
    if isinstance(model, ScoresItself):
        return model.token_log_probabilities(params, inputs, tokens, mode=mode)
    if mode == "stream":
        num_rows = min(num_streams, len(tokens))
        cuts = np.arange(num_rows + 1) * len(tokens) // num_rows
    else:
        cuts = _sentence_cuts(inputs, num_side_by_side(params) * SENTENCE_ROWS)

    def score(rows: range) -> np.ndarray:
        own = cuts[rows.start : rows.stop + 1]
        return _score_rows(model, params, inputs, tokens, own, mode, call_elements)

    groups = row_groups(len(cuts) - 1, SENTENCE_ROWS, params)
    return np.concatenate(list(side_by_side(score, groups, params)))


def _score_rows(
    model: LanguageModel,
    params: Params,
    inputs: np.ndarray,
    targets: np.ndarray,
    cuts: np.ndarray,
    mode: Mode,
    call_elements: int,
) -> np.ndarray:
    """Computes the rows targets[cuts[b]:cuts[b+1]] side by side, a few steps in each call."""
    lengths = np.diff(cuts)
    next_power_of_two = 1 << int(lengths.max() - 1).bit_length()  # few shapes, few compilations
    num_steps = max(1, min(call_elements // len(lengths), next_power_of_two))
    total_steps = -(-int(lengths.max()) // num_steps) * num_steps
    padded_inputs, padded_targets = (
        pad_rows([tokens[start:stop] for start, stop in itertools.pairwise(cuts)], total_steps)
        for tokens in (inputs, targets)
    )
    carry = model.zero_carry(len(lengths))
    starts = range(0, total_steps, num_steps)
    scores = []
    for start in track(starts, "scoring") if cuts[0] == 0 else starts:
        part = slice(start, start + num_steps)
        first = np.full((len(lengths), 1), start == 0)
        carry, score = _score_part(
            model,
            params,
            carry,
            padded_inputs[:, part],
            padded_targets[:, part],
            np.clip(lengths - start, 1, num_steps).astype(np.int32),
            first if mode == "stream" else padded_inputs[:, part] == START_ID,
        )
        scores.append(score)
    rows = np.concatenate(fetch(scores), axis=1)
    return np.concatenate([row[:length] for row, length in zip(rows, lengths, strict=True)])


def _sentence_cuts(inputs: np.ndarray, num_rows: int) -> np.ndarray:
    """Returns where to cut N inputs into at most num_rows rows of whole sentences."""
    starts = np.flatnonzero(inputs == START_ID)
    ideal = np.linspace(0, len(inputs), num_rows + 1)[:-1]
    nearest = np.searchsorted(starts, ideal).clip(max=len(starts) - 1)
    return np.append(np.unique(starts[nearest]), len(inputs))


@partial(jax.jit, static_argnames="model")
def _score_part(
    model: LanguageModel,
    params: Params,
    carry: PyTree,
    inputs: Array,
    targets: Array,
    lengths: Array,
    resets: Array,
) -> tuple[PyTree, Array]:
    """Returns log-probabilities [B, T], and the carry after the last real input of each row."""
    output = model.apply({"params": params}, inputs, carry, lengths=lengths, resets=resets)
    return output.carry, -token_losses(output.logits, targets)
