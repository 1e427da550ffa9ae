"""The sequence tagger: a bidirectional recurrent network with a tag for each word.

    v_t     the embedding of word t
    u_t     the vector of the characters of word t, see models.character_encoder
    g_t     the states of character language models after the last character of word t
    h_t     = [forward state; backward state] at t of a network that reads [v_t; u_t; g_t]
    e_t     = V h_t + d                                  K scores, one for each tag
    p(y|x)  = prod_t softmax(e_t)[y_t]                   output "softmax": each word by itself
            = exp s(x, y) / Z(x)                         output "crf": whole sequences, layers.crf

The language models read the sentence from its start, so g_t depends on all words before word t.
This is the forward half of contextual string embeddings (Akbik et al. 2018). The language models
are trained before and then frozen; their parameters are part of the tagger's parameters.

The network with a CRF on top is from Huang et al. 2015. Word dropout replaces words by `<unk>` in
training, so that the model learns about unknown words.

Axes: B rows, T time, C characters of a word, N words, D width of an embedding, H width of a state,
K tags.
"""

from dataclasses import dataclass
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.checks import check_choice, check_least, check_rates
from zoo.errors import UserError
from zoo.layers.crf import Transitions, constrain, marginals, viterbi
from zoo.layers.dropout import drop
from zoo.layers.linear import affine
from zoo.layers.masks import take_steps
from zoo.models.character_encoder import KINDS, CharacterEncoder
from zoo.models.output import LMOutput
from zoo.models.recurrent_lm import RecurrentLM
from zoo.models.text_network import TextNetworkConfig, drop_words, embedding_parameter
from zoo.types import Params

Array = jax.Array

CHARACTERS = ("none", *KINDS)
OUTPUTS = ("softmax", "crf")
# These limits bound the memory and the time that the settings of a checkpoint can demand.
_LIMITS = {"max_characters": (2, 200), "character_window": (0, 20)}

# Which tags may be first, may follow each other, and may be last; hashable nested tuples.
Allowed = tuple[tuple[bool, ...], tuple[tuple[bool, ...], ...], tuple[bool, ...]]


@dataclass(frozen=True)
class TaggerConfig(TextNetworkConfig):
    """The settings of a tagger.

    Attributes:
        cell: the cell of the network over words, and of a recurrent network over characters; see
            `zoo.layers.cells`.
        embedding_size: D of words.
        characters: the way to read the characters of a word: none, recurrent or convolution.
        character_embedding_size: D of characters.
        character_size: the number of units of each direction, or of filters of the convolution.
        character_window: w, the number of characters on either side that a filter sees.
        max_characters: C, the largest number of characters of a word. If a word is longer, its
            first and its last characters are read.
        language_models: the names of recurrent language models over characters, released models or
            runs, whose states are read with each word.
        output: softmax or crf.
        embedding_dropout_rate: the fraction of the elements of the inputs [v_t; u_t; g_t] that is
            dropped in training.
        output_dropout_rate: the fraction of the elements of h_t that is dropped.
    """

    characters: str = "recurrent"
    character_embedding_size: int = 25
    character_size: int = 25
    character_window: int = 1
    max_characters: int = 20
    language_models: tuple[str, ...] = ()
    output: str = "crf"
    output_dropout_rate: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "language_models", tuple(self.language_models))
        check_choice("model.characters", self.characters, CHARACTERS)
        check_choice("model.output", self.output, OUTPUTS)
        check_least(1, "model", self, "character_embedding_size", "character_size")
        for name, (least, most) in _LIMITS.items():
            if not least <= getattr(self, name) <= most:
                raise UserError(f"model.{name} is {getattr(self, name)}; use {least} to {most}")
        check_rates("model", self, "output_dropout_rate")


class TaggerOutput(NamedTuple):
    """The output of a tagger.

    Attributes:
        scores: [B, T, K], e; any values at padding.
        transitions: the transitions of the CRF, where forbidden transitions have a very low score;
            None for a softmax.
    """

    scores: Array
    transitions: Transitions | None


def decode(output: TaggerOutput, lengths: Array) -> tuple[Array, Array]:
    """Returns the best tags, and the probability of each of these tags given the sentence.

    Args:
        output: the output of a tagger. A CRF gives the most probable sequence of tags, a softmax
            gives the most probable tag of each word.
        lengths: int32[B], the number of real words of each row.

    Returns:
        The tags int32[B, T] and the probabilities [B, T]; any values at padding.

    Example:
        >>> output = TaggerOutput(jnp.log(jnp.array([[[0.25, 0.75]]])), None)
        >>> tags, probabilities = decode(output, jnp.array([1]))
        >>> tags.item(), round(probabilities.item(), 4)
        (1, 0.75)
    """
    scores, transitions = output
    if transitions is None:
        tags = scores.argmax(axis=-1).astype(jnp.int32)
        probabilities = jax.nn.softmax(scores)
    else:
        tags, _ = viterbi(scores, transitions, lengths)
        probabilities = marginals(scores, transitions, lengths)
    return tags, jnp.take_along_axis(probabilities, tags[:, :, None], axis=2)[:, :, 0]


def _states(output: object) -> Array:
    """Returns the states of the top layer of a language model, [B, T, H], from its `LMOutput`."""
    assert isinstance(output, LMOutput)
    assert output.softmax is not None
    return output.softmax.hidden


def read_texts(
    models: tuple[RecurrentLM, ...], params: Params, texts: tuple[Array, ...], ends: Array
) -> Array:
    """Returns the states of language models at each word, g, [B, T, G].

    Characters after the last word have no effect, because a state depends only on earlier
    characters.

    Args:
        models: the language models of a tagger.
        params: the tagger's parameters.
        texts: for each language model int32[B, L], `START_ID` and the characters of the sentence.
        ends: int32[B, T], the position in the text of the last character of each word.
    """
    states = []
    for number, (model, text) in enumerate(zip(models, texts, strict=True)):
        output = model.apply({"params": params[f"language_models_{number}"]}, text)
        states.append(take_steps(_states(output), ends))
    return jnp.concatenate(states, axis=-1)


class Tagger(nn.Module):
    """A tagger of words over a vocabulary of V words with K tags.

    The parameters are `embedding` [V, D], `spelling` (see CharacterEncoder), `stack` (see
    RecurrentStack), `output_kernel` [H, K], `output_bias` [K] and `language_models_0`, ... (see
    RecurrentLM). A CRF adds `start` a [K], `between` A [K, K] and `end` b [K].

    Attributes:
        config: the settings.
        vocabulary_size: V.
        num_tags: K.
        num_characters: the size of the vocabulary of characters; 0 if characters are not read.
        allowed: the transitions of a CRF that the scheme of the tags allows; None means all.
        language_models: the modules of the frozen language models.

    Example:
        >>> config = TaggerConfig(embedding_size=8, hidden_sizes=(6,), characters="none")
        >>> model = Tagger(config, 100, num_tags=3)
        >>> words, lengths = jnp.array([[5, 7, 2], [9, 2, 2]]), jnp.array([3, 1])
        >>> params = jax.jit(model.init)(jax.random.key(0), words, lengths=lengths)["params"]
        >>> output = jax.jit(model.apply)({"params": params}, words, lengths=lengths)
        >>> output.scores.shape, output.transitions.between.shape
        ((2, 3, 3), (3, 3))
    """

    config: TaggerConfig
    vocabulary_size: int
    num_tags: int
    num_characters: int = 0
    allowed: Allowed | None = None
    language_models: tuple[RecurrentLM, ...] = ()

    def setup(self) -> None:
        """Creates the embeddings, the recurrent layers and the output layer."""
        config = self.config
        size = self.vocabulary_size
        self.embedding = embedding_parameter(self, size, config.embedding_size, config.init_scale)
        if config.characters != "none":
            self.spelling = CharacterEncoder(
                kind=config.characters,
                cell=config.cell,
                num_characters=self.num_characters,
                embedding_size=config.character_embedding_size,
                size=config.character_size,
                window=config.character_window,
                init_scale=config.init_scale,
                forget_bias=config.forget_bias,
            )
        self.stack = config.make_stack()
        zeros, init = nn.initializers.zeros, nn.initializers.glorot_uniform()
        self.output_kernel = self.param("output_kernel", init, (config.states_size, self.num_tags))
        self.output_bias = self.param("output_bias", zeros, (self.num_tags,))
        if config.output == "crf":
            self.start = self.param("start", zeros, (self.num_tags,))
            self.between = self.param("between", zeros, (self.num_tags, self.num_tags))
            self.end = self.param("end", zeros, (self.num_tags,))

    def __call__(
        self,
        words: Array,
        characters: Array | None = None,
        *,
        lengths: Array,
        spelled: Array | None = None,
        features: Array | None = None,
        deterministic: bool = True,
    ) -> TaggerOutput:
        """Returns the scores of all tags for each word.

        Args:
            words: int32[B, T].
            characters: int32[B, T, C], with `END_ID` after the characters of a word; None if the
                model does not read characters or `spelled` is given.
            lengths: int32[B], the number of real words of each row, at least 1.
            spelled: [B, T, S], the output of `spell` for each word.
            features: [B, T, G], the output of `read_texts`; None without language models.
            deterministic: False in training: units are dropped, with the random key "dropout".
        """
        config = self.config
        words = drop_words(self, words, config.word_dropout_rate, deterministic)
        inputs = self.embedding[words]
        if config.characters != "none":
            if spelled is None:
                assert characters is not None
                flat = self.spelling(characters.reshape((-1, characters.shape[2])))
                spelled = flat.reshape((*words.shape, flat.shape[1]))
            inputs = jnp.concatenate([inputs, spelled], axis=-1)
        if self.language_models:
            if self.is_initializing():  # so that their parameters become parameters of the tagger
                text = jnp.zeros((1, 1), jnp.int32)
                widths = [_states(model(text)).shape[2] for model in self.language_models]
                features = jnp.zeros((*words.shape, sum(widths)))
            assert features is not None
            inputs = jnp.concatenate([inputs, features], axis=-1)
        inputs = drop(self, inputs, config.embedding_dropout_rate, deterministic)
        states, _ = self.stack(inputs, lengths=lengths, deterministic=deterministic)
        states = drop(self, states, config.output_dropout_rate, deterministic)
        return TaggerOutput(
            affine(states, self.output_kernel, self.output_bias), self._transitions()
        )

    def spell(self, characters: Array) -> Array:
        """Returns the vectors of the characters of words, [N, S], from int32[N, C].

        The vector does not depend on the sentence, so a text needs it once for each distinct word.
        """
        return self.spelling(characters)

    def _transitions(self) -> Transitions | None:
        """Returns the transitions of the CRF, with low scores for forbidden transitions."""
        if self.config.output != "crf":
            return None
        transitions = Transitions(self.start, self.between, self.end)
        if self.allowed is None:
            return transitions
        return constrain(transitions, Transitions(*map(jnp.array, self.allowed)))
