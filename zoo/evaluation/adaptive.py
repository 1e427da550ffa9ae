"""Language models that adapt to the text they score: dynamic evaluation and the neural cache.

One scan reads the text window by window. It scores the window, looks up the cache, and then updates
the parameters (see `zoo.evaluation.dynamic_evaluation` and `zoo.evaluation.neural_cache`).
"""

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import ClassVar, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from zoo.data.vocabulary import Vocabulary, encode_lines
from zoo.errors import UserError
from zoo.evaluation.dynamic_evaluation import DynamicEvaluation, Rates, follow, gradient_sizes
from zoo.evaluation.modes import Mode
from zoo.evaluation.neural_cache import EMPTY, Memory, NeuralCache, empty_memory, look_up, mix_in
from zoo.evaluation.perplexity import text_lines
from zoo.fetching import fetch
from zoo.layers.cross_entropy import token_losses
from zoo.models.output import LanguageModel
from zoo.models.trained import (
    LANGUAGE_MODEL,
    Kind,
    ModelOrName,
    TrainedModel,
    require_language_model,
)
from zoo.progress import track
from zoo.special_tokens import END_ID, START_ID
from zoo.types import PyTree

Array = jax.Array

_WINDOW = 20  # steps of a window without dynamic evaluation, where its size changes no result
_WINDOWS_A_CALL = 100


class _Reader(NamedTuple):
    """The state that is carried from window to window."""

    params: PyTree
    carry: PyTree
    memory: Memory | None


class _Window(NamedTuple):
    """One window of W steps: inputs, targets, where the state is reset, and the real length."""

    inputs: Array
    targets: Array
    resets: Array
    length: Array


class _Kept(NamedTuple):
    """The constants of the scan: trained parameters, R, eta to epsilon, and values of theta."""

    trained: PyTree
    sizes: PyTree
    rates: Rates | None
    flatness: Array


class Scores(NamedTuple):
    """Log-probabilities of N tokens.

    Attributes:
        model: float64[N], by the model.
        cache: float64[F, N], by the cache (see `look_up`), for each of the F values of theta; F is
            0 without a cache.
    """

    model: np.ndarray
    cache: np.ndarray


def read_window(
    model: LanguageModel, kept: _Kept, reader: _Reader, window: _Window
) -> tuple[_Reader, tuple[Array, Array]]:
    """Predicts one window, then learns from it. It is the body of the scan, a pure function.

    Returns:
        The reader for the next window; and log p_model [W] and log p_cache [F, W].
    """
    real = jnp.arange(len(window.targets)) < window.length

    def loss(params: PyTree) -> tuple[Array, tuple[Array, PyTree]]:
        output = model.apply(
            {"params": params},
            window.inputs[None],
            reader.carry,
            lengths=window.length[None],
            resets=window.resets[None],
        )
        nats = token_losses(output.logits, window.targets[None])[0]
        return jnp.where(real, nats, 0).sum() / window.length, (nats, output)

    params, memory = reader.params, reader.memory
    if kept.rates is None:
        _, (nats, output) = loss(params)
    else:
        (_, (nats, output)), grads = jax.value_and_grad(loss, has_aux=True)(params)
        params = follow(kept.rates, params, grads, kept.trained, kept.sizes)
    found = jnp.zeros((0, len(nats)))
    if memory is not None:
        known = jnp.where(real, window.targets, EMPTY)
        found, memory = look_up(memory, output.softmax.hidden[0], known, kept.flatness)
    return _Reader(params, output.carry, memory), (-nats, found)


@partial(jax.jit, static_argnames="model", donate_argnames="reader")
def _read_windows(
    model: LanguageModel, kept: _Kept, reader: _Reader, windows: _Window
) -> tuple[_Reader, tuple[Array, Array]]:
    return jax.lax.scan(partial(read_window, model, kept), reader, windows)


def adaptive_scores(
    adaptive: "AdaptiveLM",
    params: PyTree,
    inputs: np.ndarray,
    targets: np.ndarray,
    *,
    mode: Mode = "stream",
    flatness: Sequence[float] = (),
) -> Scores:
    """Computes the log-probabilities of a token stream with a model that adapts to it.

    Args:
        adaptive: the model and how it adapts.
        params: {"trained": the model's parameters, "sizes": R or None, see `gradient_sizes`}.
        inputs: int32[N], the token before each target; `<s>` before the first of a sentence.
        targets: int32[N].
        mode: "stream" carries the state over sentences, "sentence" resets it at each sentence.
            Parameters and cache are carried over in both modes.
        flatness: the values of theta for the cache.

    Returns:
        The log-probabilities of all N targets. Each depends only on the targets before it.
    """
    model, dynamic, trained = adaptive.model, adaptive.dynamic, params["trained"]
    windows = cut_windows(inputs, targets, dynamic.window if dynamic else _WINDOW, mode)
    rates = Rates(dynamic.rate, dynamic.decay, dynamic.epsilon) if dynamic else None
    memory = None
    if adaptive.cache is not None:
        memory = empty_memory(adaptive.cache.size, _state_width(model, trained))
    kept = _Kept(trained, params["sizes"], rates, jnp.asarray(flatness, jnp.float32))
    reader = _Reader(jax.tree.map(jnp.copy, trained), model.zero_carry(1), memory)
    parts = []
    for start in track(range(0, len(windows.length), _WINDOWS_A_CALL), "scoring"):
        some = jax.tree.map(lambda array, at=start: array[at : at + _WINDOWS_A_CALL], windows)
        reader, found = _read_windows(model, kept, reader, some)
        parts.append(fetch(found))
    by_model = np.concatenate([part[0].reshape(-1) for part in parts])[: len(targets)]
    cache = [part[1].swapaxes(0, 1).reshape((len(flatness), part[0].size)) for part in parts]
    return Scores(
        by_model.astype(np.float64),
        np.concatenate(cache, axis=1)[:, : len(targets)].astype(np.float64),
    )


def cut_windows(inputs: np.ndarray, targets: np.ndarray, steps: int, mode: Mode) -> _Window:
    """Returns the windows of a text as arrays [K, W]; the last window is padded."""
    num_windows = -(-len(targets) // steps)
    padding = (0, num_windows * steps - len(targets))

    def rows(tokens: np.ndarray) -> np.ndarray:
        padded = np.pad(tokens, padding, constant_values=END_ID)
        return padded.reshape((num_windows, steps)).astype(np.int32)

    resets = rows(inputs) == START_ID
    if mode == "stream":
        resets = np.zeros_like(resets)
        resets[0, 0] = True
    lengths = np.full(num_windows, steps, np.int32)
    lengths[-1] -= padding[1]
    arrays = (rows(inputs), rows(targets), resets, lengths)
    return _Window(*map(jnp.asarray, arrays))


def _state_width(model: LanguageModel, params: PyTree) -> int:
    """Returns H, the width of the states that the model's softmax reads."""
    tokens = jnp.zeros((1, 1), jnp.int32)
    output = jax.eval_shape(lambda: model.apply({"params": params}, tokens))
    if getattr(output, "softmax", None) is None:
        raise UserError(
            "a cache needs the states that a recurrent model's softmax reads, but this model has "
            "none; use a model of the architecture recurrent_lm, or leave out --cache"
        )
    return output.softmax.hidden.shape[-1]


@dataclasses.dataclass(frozen=True)
class AdaptiveLM:
    """A language model that adapts to the text that it scores.

    Attributes:
        model: the language model module.
        dynamic: how its parameters follow the text; None keeps them fixed.
        cache: the settings of the cache; None means no cache.
    """

    model: LanguageModel
    dynamic: DynamicEvaluation | None = None
    cache: NeuralCache | None = None

    @property
    def vocabulary_size(self) -> int:
        """V, the number of tokens in the vocabulary."""
        return self.model.vocabulary_size

    def zero_carry(self, batch_size: int) -> PyTree:
        """Raises a UserError, because generation has no text that the model could adapt to."""
        raise UserError(
            "a model that adapts to a text scores texts, and cannot generate; give the checkpoint "
            "itself"
        )

    apply = zero_carry

    def token_log_probabilities(
        self, params: PyTree, inputs: np.ndarray, targets: np.ndarray, *, mode: Mode = "stream"
    ) -> np.ndarray:
        """Returns the log-probability of each target, float64[N]; see `adaptive_scores`.

        Args:
            params: {"trained": the model's parameters, "sizes": R or None}.
            inputs: int32[N].
            targets: int32[N].
            mode: "stream" or "sentence".
        """
        cache = self.cache
        flatness = (cache.flatness,) if cache else ()
        scores = adaptive_scores(self, params, inputs, targets, mode=mode, flatness=flatness)
        return mix_in(scores.model, scores.cache[0], cache.weight) if cache else scores.model


@dataclasses.dataclass(frozen=True, eq=False)
class AdaptiveCheckpoint:
    """A trained language model that adapts to the text that it scores.

    Functions that score a language model accept it: `zoo.evaluate`, `zoo.perplexity`, `zoo.mix`.

    Attributes:
        trained: the checkpoint.
        model: how it adapts.
        sizes: R of dynamic evaluation, see `gradient_sizes`; None if it is not needed.
    """

    kind: ClassVar[Kind] = LANGUAGE_MODEL

    trained: TrainedModel
    model: AdaptiveLM
    sizes: PyTree = None

    def __repr__(self) -> str:
        """Returns a line on how it adapts, and the lines of the checkpoint."""
        return f"adapts by {self.model.dynamic} and {self.model.cache}:\n{self.trained!r}"

    @property
    def name(self) -> str:
        """The name of the checkpoint."""
        return self.trained.name

    @property
    def params(self) -> PyTree:
        """The trained parameters and R."""
        return {"trained": self.trained.params, "sizes": self.sizes}

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary of the trained model."""
        return self.trained.vocabulary


def check_can_adapt(checkpoint: TrainedModel, cache: NeuralCache | None) -> None:
    """Raises a UserError if a model cannot adapt, or has no states for the cache."""
    require_language_model(checkpoint)
    if not isinstance(checkpoint.model, nn.Module):
        raise UserError(
            "n-grams, mixtures and models that already adapt cannot adapt; give a recurrent or "
            "feed-forward language model"
        )
    if cache is not None:
        _state_width(checkpoint.model, checkpoint.params)


def can_adapt(checkpoint: TrainedModel, cache: NeuralCache | None) -> bool:
    """Returns whether a language model can adapt, and has states for a cache if one is given."""
    try:
        check_can_adapt(checkpoint, cache)
    except UserError:
        return False
    return True


def adapt(
    checkpoint: ModelOrName,
    *,
    dynamic: DynamicEvaluation | None = None,
    cache: NeuralCache | None = None,
    training_text: str | Sequence[str] | None = None,
) -> AdaptiveCheckpoint:
    """Returns a trained language model that adapts to the text that it scores.

    Args:
        checkpoint: a checkpoint from `zoo.load`, or a name that `zoo.load` accepts.
        dynamic: settings of dynamic evaluation; None keeps the parameters fixed.
        cache: settings of the neural cache; None means no cache.
        training_text: the text that the model was trained on, or its lines; rule rms needs it.

    Returns:
        A model for `zoo.perplexity`, `zoo.evaluate` and `zoo.mix`. It cannot generate text.

    Raises:
        UserError: if the model is not a neural language model, rule rms has no training text or a
            too short one, or a cache is wanted of a model without states.

    Example:
        >>> from zoo.data.vocabulary import build_vocabulary
        >>> from zoo.evaluation.perplexity import perplexity
        >>> from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig
        >>> from zoo.models.trained import TrainedLanguageModel
        >>> vocabulary = build_vocabulary("character", ["ab"])
        >>> model = RecurrentLM(RecurrentLMConfig(hidden_sizes=(8,)), len(vocabulary))
        >>> params = jax.jit(model.init)(jax.random.key(0), np.array([[1]]))["params"]
        >>> checkpoint = TrainedLanguageModel(model=model, params=params, vocabulary=vocabulary)
        >>> follows = adapt(checkpoint, dynamic=DynamicEvaluation("sgd", rate=1.0))
        >>> bool(perplexity(follows, "ab" * 20) < perplexity(checkpoint, "ab" * 20))
        True
    """
    trained = require_language_model(checkpoint)
    check_can_adapt(trained, cache)
    sizes = None
    if dynamic is not None and dynamic.rule == "rms":
        if training_text is None:
            raise UserError(
                "dynamic evaluation by rule rms needs the text that the model was trained on; "
                "give training_text, or use rule sgd"
            )
        training_tokens = encode_lines(trained.vocabulary, text_lines(training_text))
        sizes = gradient_sizes(trained.model, trained.params, training_tokens, dynamic.window)
    return AdaptiveCheckpoint(trained, AdaptiveLM(trained.model, dynamic, cache), sizes)
