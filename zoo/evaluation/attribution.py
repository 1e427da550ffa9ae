"""The attribution of each token: its part in the log-probability of a classifier's label.

    F(x)                   = log p(label | x), in nats
    leave one out          a_i = F(x) - F(x without token i)
    integrated gradients   a_i = (e_i - b_i)' int_0^1 dF/de_i (b + s (e - b)) ds

Leave one out removes a token (Li et al. 2016). It misses what two tokens say alike, because each
may go while the other stays. Integrated gradients (Sundararajan et al. 2017, eq. 1) follow the
gradient along a straight line from a baseline b to the embeddings e of the text. Here b is zero for
each token and equal to e for the end of the text. The attributions then sum to the whole way:

    sum_i a_i = F(e) - F(b)                                         (their Proposition 1)

The weights of pooling, `Classification.weights`, are something else: they say which states z is
made of, not whether these states speak for or against a label.

Axes: K points on the line, T time, D width of an embedding, C labels.
"""

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from zoo.data.batching import make_buckets
from zoo.data.labeled_batching import encode_texts, pad
from zoo.errors import UserError
from zoo.evaluation.by_length import fill_up
from zoo.evaluation.classifying import SHAPES, TrainedClassifier
from zoo.fetching import fetch
from zoo.given import given_texts
from zoo.models.output import Model
from zoo.models.trained import ModelOrName, require
from zoo.progress import track
from zoo.types import Json, Params

Array = jax.Array
Method = Literal["leave_one_out", "integrated_gradients"]
METHODS: tuple[Method, ...] = get_args(Method)
NUM_POINTS = 32  # of the integral


@dataclasses.dataclass(frozen=True)
class Attribution:
    """A text, and how much each of its tokens adds to the log-probability of a label.

    Attributes:
        text: the text.
        label: the label.
        method: "leave_one_out" or "integrated_gradients".
        tokens: the tokens that were read, without the end.
        scores: the attribution of each token in nats. A token above 0 speaks for the label, and a
            token below 0 speaks against it.
        log_probability: log p(label | text), in nats.
        baseline: F(b), from which integrated gradients start. `sum(scores)` is
            `log_probability - baseline`, up to the error of the integral. None of leave one out.
    """

    text: str
    label: str
    method: Method
    tokens: tuple[str, ...]
    scores: tuple[float, ...]
    log_probability: float
    baseline: float | None = None

    def to_json(self) -> Json:
        """Returns the record as plain JSON types."""
        return dict(vars(self))


def attribute(
    checkpoint: ModelOrName,
    texts: str | Sequence[str],
    *,
    method: Method = "leave_one_out",
    label: str | None = None,
) -> list[Attribution]:
    """Returns how much each token of texts adds to the log-probability of a label.

    Args:
        checkpoint: what `zoo.load` gives of a classifier, or a name that it takes.
        texts: the texts, or one text.
        method: "leave_one_out" reads a text of T tokens T + 2 times. "integrated_gradients" needs
            34 readings and their gradient.
        label: the label; None for the most probable label of each text.

    Raises:
        UserError: the model is not a classifier, or the method or the label is unknown.

    Example:
        >>> from zoo.data.labels import make_labels
        >>> from zoo.data.vocabulary import build_vocabulary
        >>> from zoo.models.classifier import Classifier, ClassifierConfig
        >>> vocabulary, labels = build_vocabulary("word", ["good bad"]), make_labels([["-"], ["+"]])
        >>> model = Classifier(ClassifierConfig(hidden_sizes=(4,)), len(vocabulary), len(labels))
        >>> start = {"tokens": np.ones((1, 1), int), "lengths": np.ones(1, int)}
        >>> params = jax.jit(model.init)(jax.random.key(0), **start)["params"]
        >>> checkpoint = TrainedClassifier(
        ...     model=model, params=params, vocabulary=vocabulary, labels=labels
        ... )
        >>> (found,) = attribute(checkpoint, "very good", label="+")
        >>> found.tokens, len(found.scores), found.log_probability < 0
        (('<unk>', 'good'), 2, True)
    """
    trained = require(checkpoint, TrainedClassifier)
    if method not in METHODS:
        raise UserError(f"method is {method!r}; choose one of {', '.join(METHODS)}")
    if label is not None and label not in trained.labels.names:
        raise UserError(
            f"label is {label!r}; {trained.name} has {', '.join(trained.labels.names[:20])}"
        )
    texts = given_texts(texts)
    rows = encode_texts(trained.vocabulary, texts, trained.max_tokens, trained.cut)
    found = []
    for text, row in zip(texts, track(rows, "attributing"), strict=True):
        whole = log_probabilities(trained, [row])[0]
        chosen = int(whole.argmax()) if label is None else trained.labels.names.index(label)
        baseline = None
        if method == "leave_one_out":
            scores = leave_one_out(trained, row, chosen)
        else:
            scores, baseline = integrated_gradients(trained, row, chosen)
        found.append(
            Attribution(
                text=text,
                label=trained.labels.names[chosen],
                method=method,
                tokens=tuple(trained.vocabulary.tokens[token] for token in row[:-1]),
                scores=tuple(scores.tolist()),
                log_probability=float(whole[chosen]),
                baseline=baseline,
            )
        )
    return found


def log_probabilities(checkpoint: TrainedClassifier, rows: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the log-probability of each label, float64[N, C], of N rows of tokens."""
    num_steps = _num_steps(max(map(len, rows)))
    found = []
    for start in range(0, len(rows), SHAPES.batch_size):
        chosen = np.arange(start, min(start + SHAPES.batch_size, len(rows)))
        tokens, lengths = pad([rows[number] for number in fill_up(chosen)], num_steps)
        multiple = checkpoint.labels.multiple
        values = _log_probabilities(checkpoint.model, multiple, checkpoint.params, tokens, lengths)
        found.append(np.asarray(fetch(values), np.float64)[: len(chosen)])
    return np.concatenate(found)


def leave_one_out(checkpoint: TrainedClassifier, row: np.ndarray, label: int) -> np.ndarray:
    """Returns F(x) - F(x without token i) for each token but the end, float64[T-1].

    Args:
        checkpoint: a classifier.
        row: int32[T], a text as `encode_texts` makes it.
        label: the number of the label.
    """
    shorter = [np.delete(row, at) for at in range(len(row) - 1)]
    values = log_probabilities(checkpoint, [row, *shorter])[:, label]
    return values[0] - values[1:]


def integrated_gradients(
    checkpoint: TrainedClassifier, row: np.ndarray, label: int, *, num_points: int = NUM_POINTS
) -> tuple[np.ndarray, float]:
    """Returns the integrated gradients of each token but the end, float64[T-1], and F(b).

    Args:
        checkpoint: a classifier.
        row: int32[T], a text as `encode_texts` makes it.
        label: the number of the label.
        num_points: the points at which the gradient is taken, of a Gauss-Legendre quadrature.
    """
    nodes, weights = np.polynomial.legendre.leggauss(num_points)  # on -1 to 1
    points = np.concatenate([[0.0], (nodes + 1) / 2]).astype(np.float32)
    tokens, lengths = pad([row], _num_steps(len(row)))
    model, multiple = checkpoint.model, checkpoint.labels.multiple
    values, slopes = _along_the_line(
        model, multiple, checkpoint.params, tokens[0], lengths[0], label, points
    )
    scores = np.tensordot(weights / 2, np.asarray(fetch(slopes), np.float64)[1:], axes=1)
    return scores[: len(row) - 1], float(values[0])


def _num_steps(longest: int) -> int:
    """Returns the length that rows of tokens are padded to."""
    return next(length for length in make_buckets(SHAPES.lengths, longest) if length >= longest)


@partial(jax.jit, static_argnums=(0, 1))
def _log_probabilities(
    model: Model, multiple: bool, params: Params, tokens: Array, lengths: Array
) -> Array:
    """Returns the log-probabilities of the labels, [B, C]."""
    logits = model.apply({"params": params}, tokens, lengths=lengths).logits
    return (jax.nn.log_sigmoid if multiple else jax.nn.log_softmax)(logits)


@partial(jax.jit, static_argnums=(0, 1))
def _along_the_line(
    model: Model,
    multiple: bool,
    params: Params,
    row: Array,
    length: Array,
    label: Array,
    points: Array,
) -> tuple[Array, Array]:
    """Returns F, [K], and (e_i - b_i)' dF/de_i, [K, T], at K points of the line from b to e.

    A model takes tokens, not embeddings. So each of the K T embeddings gets a row of a table and a
    token of its own, and the gradient with respect to the table is the gradient that is wanted.
    """
    num_points, num_steps = points.shape[0], row.shape[0]
    embedded = params["embedding"][row]
    is_token = jnp.arange(num_steps)[:, None] < length - 1
    way = jnp.where(is_token, embedded, 0)  # e - b
    on_line = (embedded - way)[None] + points[:, None, None] * way[None]
    tokens = jnp.arange(num_points * num_steps).reshape(num_points, num_steps)
    reader: Any = model
    reader = reader.clone(vocabulary_size=num_points * num_steps)
    lengths = jnp.full(num_points, length)

    def values(on_line: Array) -> tuple[Array, Array]:
        table = on_line.reshape(-1, on_line.shape[2])
        found = _log_probabilities(reader, multiple, params | {"embedding": table}, tokens, lengths)
        return found[:, label].sum(), found[:, label]

    gradient, found = jax.grad(values, has_aux=True)(on_line)
    return found, (gradient * way[None]).sum(axis=-1)
