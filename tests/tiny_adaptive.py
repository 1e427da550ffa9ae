"""Tiny language models that adapt to a text, and a text of 19 tokens, for the tests of them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from zoo.data.vocabulary import WordVocabulary, encode_lines
from zoo.evaluation.adaptive import AdaptiveCheckpoint, AdaptiveLM
from zoo.evaluation.dynamic_evaluation import DynamicEvaluation
from zoo.evaluation.neural_cache import NeuralCache
from zoo.evaluation.perplexity import token_log_probabilities
from zoo.models.feedforward_lm import FeedForwardLM, FeedForwardLMConfig
from zoo.models.recurrent_lm import RecurrentLM, RecurrentLMConfig
from zoo.models.trained import TrainedLanguageModel
from zoo.special_tokens import SPECIAL_TOKENS

VOCABULARY = WordVocabulary([*SPECIAL_TOKENS, *(f"w{i}" for i in range(6))])
LINES = ["w0 w1 w2 w3", "w1 w2", "", "w5 w0 w1 w2 w4", "w1 w2 w2"]
TOKENS = encode_lines(VOCABULARY, LINES)  # 19 of them: no window of 3, 4, 5 or 20 divides it
MODES = ("stream", "sentence")
SGD = DynamicEvaluation(rule="sgd", rate=0.3, decay=0.1, window=4)
RMS = DynamicEvaluation(rule="rms", rate=0.05, decay=0.2, window=4, epsilon=0.1)
CACHE = NeuralCache(size=6, weight=0.3, flatness=0.7)


@functools.cache
def trained(kind="lstm"):
    """A tiny model with random parameters."""
    model, generator = models()[kind], np.random.default_rng(2)
    params = draw_like(model, generator.normal)
    return TrainedLanguageModel(model=model, params=params, vocabulary=VOCABULARY)


@functools.cache
def random_sizes(kind="lstm"):
    """R, as random as they."""
    lognormal = np.random.default_rng(3).lognormal
    return draw_like(models()[kind], functools.partial(lognormal, 0.0, 1.5))


def draw_like(model, how):
    """An array for each parameter of a model."""
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.ones((1, 1), jnp.int32))["params"]
    return jax.tree.map(lambda leaf: jnp.asarray(how(size=leaf.shape), jnp.float32), shapes)


def models():
    """The tiny models by kind."""
    return {
        "lstm": RecurrentLM(
            RecurrentLMConfig(embedding_size=3, hidden_sizes=(4,), learn_initial_state=True),
            len(VOCABULARY),
        ),
        "feed-forward": FeedForwardLM(
            FeedForwardLMConfig(window=3, embedding_size=3, hidden_size=4), len(VOCABULARY)
        ),
    }


def adapted(kind="lstm", dynamic=None, cache=None):
    """A tiny model that adapts."""
    lm = trained(kind)
    sizes = random_sizes(kind) if dynamic and dynamic.rule == "rms" else None
    return AdaptiveCheckpoint(lm, AdaptiveLM(lm.model, dynamic, cache), sizes)


def score(checkpoint, tokens, mode="stream"):
    """log p of each token."""
    return token_log_probabilities(checkpoint.model, checkpoint.params, tokens, mode=mode)
