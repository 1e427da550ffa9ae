"""The encoder-decoder: from a sequence to another sequence with its own length and order.

    x_s        embedding of source token s
    h, z       = encoder(x_1, ..., x_n)                        see models.encoders, .transformer
    h~_t       = decoder(y_1, ..., y_{t-1}; h or z)            see models.decoders, .transformer
    p(y_t)     = softmax(U h~_t + b)

With context "vector" the decoder reads only z, one vector for a source of any length (Sutskever et
al. 2014; Cho et al. 2014): the bottleneck. With "attention" it attends to the states h at every
step (Bahdanau et al. 2015; Luong et al. 2015; Vaswani et al. 2017).

Axes: B rows, S source steps, T target steps, D width of an embedding, H width of a state, V target
vocabulary.
"""

from dataclasses import dataclass
from typing import NamedTuple

import flax.linen as nn
import jax
import numpy as np

from zoo.checks import check_choice, check_least, check_rates
from zoo.errors import UserError
from zoo.layers.attention import SCORES
from zoo.layers.cells import check_cell
from zoo.layers.dropout import drop
from zoo.layers.fast.softmax_loss import SoftmaxInputs
from zoo.layers.initializers import uniform
from zoo.models.decoders import FeedForwardDecoder, RecurrentDecoder
from zoo.models.encoders import Encoded, FeedForwardEncoder, RecurrentEncoder
from zoo.models.transformer import TransformerDecoder, TransformerEncoder
from zoo.types import PyTree

Array = jax.Array

NOT_RECURRENT = ("feedforward", "transformer")
CONTEXTS = ("vector", "attention")


@dataclass(frozen=True)
class EncoderDecoderConfig:
    """The settings of an encoder-decoder.

    Attributes:
        encoder: feedforward, transformer, or the name of a recurrent cell in `zoo.layers.cells`.
        decoder: feedforward, transformer, or the name of a recurrent cell.
        context: vector, the source as one vector; or attention to all states of the source.
        score: the score of attention: dot, scaled_dot, bilinear or additive. A transformer decoder
            always uses scaled_dot.
        input_feeding: whether a recurrent decoder reads the attentional state of the previous step.
        reads_vector: whether a recurrent decoder reads the source's vector at every step.
        embedding_size: D.
        hidden_size: H.
        num_layers: the number of recurrent or Transformer layers of encoder and decoder.
        bidirectional: whether a recurrent encoder reads in both directions, each with H/2 units.
        encoder_window: the number of tokens on either side that a feedforward encoder sees.
        decoder_window: the number of target tokens that a feedforward decoder sees.
        num_heads: the number of heads of each attention of a Transformer.
        inner_size: the number of hidden units between two attentions of a Transformer.
        tie_embeddings: whether the target's embedding matrix is also U; H must then equal D.
        share_embeddings: whether source and target share an embedding matrix. This needs a shared
            vocabulary, see data.share_vocabulary.
        embedding_dropout_rate: the fraction of an embedding's elements that is dropped in training.
        layer_dropout_rate: the fraction of the outputs inside and between layers that is dropped.
        output_dropout_rate: the fraction of the inputs of U that is dropped.
        forget_bias: the initial bias of the forget gates of an LSTM.
    """

    encoder: str = "gru"
    decoder: str = "gru"
    context: str = "attention"
    score: str = "additive"
    input_feeding: bool = False
    reads_vector: bool = False
    embedding_size: int = 256
    hidden_size: int = 256
    num_layers: int = 1
    bidirectional: bool = True
    encoder_window: int = 3
    decoder_window: int = 5
    num_heads: int = 4
    inner_size: int = 512
    tie_embeddings: bool = False
    share_embeddings: bool = False
    embedding_dropout_rate: float = 0.0
    layer_dropout_rate: float = 0.0
    output_dropout_rate: float = 0.0
    forget_bias: float = 1.0

    def __post_init__(self) -> None:
        for name in ("encoder", "decoder"):
            check_cell(f"model.{name}", getattr(self, name), NOT_RECURRENT)
        check_choice("model.context", self.context, CONTEXTS)
        check_choice("model.score", self.score, SCORES)
        _check_sizes(self)
        _check_fit(self)


def _check_sizes(config: EncoderDecoderConfig) -> None:
    """Raises a UserError that names the first invalid number."""
    sizes = ("embedding_size", "hidden_size", "num_layers", "decoder_window", "num_heads")
    check_least(1, "model", config, *sizes, "inner_size")
    check_least(0, "model", config, "encoder_window")
    rates = ("embedding_dropout_rate", "layer_dropout_rate", "output_dropout_rate")
    check_rates("model", config, *rates)


def _check_fit(config: EncoderDecoderConfig) -> None:
    """Raises a UserError that names the first settings that do not fit together."""
    kinds = (config.encoder, config.decoder)
    width, embedding = config.hidden_size, config.embedding_size
    needs_same = [
        (config.tie_embeddings, "tie_embeddings"),
        ("transformer" in kinds, "a transformer"),
    ]
    for is_so, what in needs_same:
        if is_so and width != embedding:
            raise UserError(
                f"model.hidden_size is {width} and model.embedding_size {embedding}; "
                f"{what} needs them to be equal"
            )
    if "transformer" in kinds and width % config.num_heads:
        raise UserError(
            f"model.num_heads {config.num_heads} does not divide model.hidden_size {width}"
        )
    if {"transformer", "feedforward"} & set(kinds) and embedding % 2:
        raise UserError(f"model.embedding_size is {embedding}; positions need an even number")
    if config.decoder == "feedforward" and config.context == "attention" and width % 2:
        raise UserError(f"model.hidden_size is {width}; positions need an even number")
    if config.bidirectional and config.encoder not in NOT_RECURRENT and width % 2:
        raise UserError(f"model.hidden_size is {width}; a bidirectional encoder needs an even one")
    for name in ("input_feeding", "reads_vector"):
        if getattr(config, name) and config.decoder in NOT_RECURRENT:
            raise UserError(
                f"model.{name} is for a recurrent decoder, but model.decoder is {config.decoder}"
            )
    if config.input_feeding and config.context != "attention":
        raise UserError("model.input_feeding needs model.context=attention")


class TranslationOutput(NamedTuple):
    """The output of an encoder-decoder for T target tokens.

    Attributes:
        logits: [B, T, V], unnormalised log-probabilities of each next token.
        weights: [B, T, S], the attention to the source; zero at padding, and the sum is one. None
            with context "vector".
        state: the state of the decoder after the last token.
        softmax: the inputs of the softmax, for a loss that does not need the logits.
    """

    logits: Array
    weights: Array | None
    state: PyTree
    softmax: SoftmaxInputs


class EncoderDecoder(nn.Module):
    """An encoder-decoder from a source vocabulary to a target vocabulary of V tokens.

    The parameters are `source_embedding` and `target_embedding` (or `embedding` if they are
    shared), `encoder`, `decoder`, `output_kernel` U [H, V] unless it is tied, and `output_bias`
    [V].

    Example:
        >>> config = EncoderDecoderConfig(embedding_size=8, hidden_size=8)
        >>> model = EncoderDecoder(config, 50, source_vocabulary_size=60)
        >>> array = jax.numpy.array
        >>> sources, lengths = array([[5, 7, 2], [9, 2, 2]]), array([3, 2])
        >>> inputs = array([[1, 8, 9, 4], [1, 3, 2, 2]])
        >>> params = jax.jit(model.init)(jax.random.key(0), sources, lengths, inputs)["params"]
        >>> output = jax.jit(model.apply)({"params": params}, sources, lengths, inputs)
        >>> output.logits.shape, output.weights.shape
        ((2, 4, 50), (2, 4, 3))
    """

    config: EncoderDecoderConfig
    vocabulary_size: int
    source_vocabulary_size: int

    def setup(self) -> None:
        """Creates the embeddings, the encoder, the decoder and the output layer."""
        config = self.config
        if config.share_embeddings and self.source_vocabulary_size != self.vocabulary_size:
            raise UserError(
                "model.share_embeddings needs one vocabulary; use data.share_vocabulary=True"
            )
        width, size = config.embedding_size, self.vocabulary_size
        init = uniform(width**-0.5)
        name = "embedding" if config.share_embeddings else "target_embedding"
        self.target_embedding = self.param(name, init, (size, width))
        self.source_embedding = (
            self.target_embedding
            if config.share_embeddings
            else self.param("source_embedding", init, (self.source_vocabulary_size, width))
        )
        self.encoder = _make_encoder(config)
        self.decoder = _make_decoder(config)
        if not config.tie_embeddings:
            shape = (config.hidden_size, size)
            self.output_kernel = self.param("output_kernel", uniform(shape[0] ** -0.5), shape)
        self.output_bias = self.param("output_bias", nn.initializers.zeros, (size,))

    def __call__(
        self, sources: Array, source_lengths: Array, inputs: Array, *, deterministic: bool = True
    ) -> TranslationOutput:
        """Returns the distribution of the next target token after each token (teacher forcing).

        Args:
            sources: int32[B, S].
            source_lengths: int32[B], the number of real tokens of each source, at least 1.
            inputs: int32[B, T], the target tokens, beginning with `<s>`.
            deterministic: False in training: units are dropped, with the random key "dropout".
        """
        encoded = self.encode(sources, source_lengths, deterministic=deterministic)
        memory, state = self.begin(encoded, inputs.shape[1])
        return self.decode(inputs, memory, state, deterministic=deterministic)

    def encode(
        self, sources: Array, source_lengths: Array, *, deterministic: bool = True
    ) -> Encoded:
        """Returns the states and the vector of the sources."""
        embedded = self._embed(self.source_embedding, sources, deterministic)
        return self.encoder(embedded, source_lengths, deterministic)

    def begin(self, encoded: Encoded, room: int) -> tuple[PyTree, PyTree]:
        """Returns the memory and the first state of a decoder, for at most `room` target tokens."""
        return self.decoder.begin(encoded, room)

    def decode(
        self, inputs: Array, memory: PyTree, state: PyTree, *, deterministic: bool = True
    ) -> TranslationOutput:
        """Returns the distribution after each of the next T target tokens, int32[B, T]."""
        config = self.config
        embedded = self._embed(self.target_embedding, inputs, deterministic)
        decoded = self.decoder(embedded, memory, state, deterministic)
        hidden = drop(self, decoded.hidden, config.output_dropout_rate, deterministic)
        kernel = self.target_embedding.T if config.tie_embeddings else self.output_kernel
        softmax = SoftmaxInputs(hidden, kernel, self.output_bias)
        return TranslationOutput(softmax.logits(), decoded.weights, decoded.state, softmax)

    def _embed(self, table: Array, tokens: Array, deterministic: bool) -> Array:
        """Returns embeddings, scaled to the size of positions if the model adds positions."""
        embedded = table[tokens]
        if {"transformer", "feedforward"} & {self.config.encoder, self.config.decoder}:
            embedded = embedded * self.config.embedding_size**0.5
        return drop(self, embedded, self.config.embedding_dropout_rate, deterministic)


def scale_bilinear_kernel(params: PyTree) -> PyTree:
    """Converts parameters of a version whose bilinear score had no factor 1 / sqrt(H).

    The kernel, which was called `kernel`, is renamed and multiplied by sqrt(H), so that all scores
    stay the same. Other parameters are returned unchanged.

    Args:
        params: a nested dictionary of NumPy arrays, or of their shapes.

    Example:
        >>> kernel = np.ones((4, 4), np.float32)
        >>> new = scale_bilinear_kernel({"decoder": {"look": {"attention": {"kernel": kernel}}}})
        >>> new["decoder"]["look"]["attention"]["bilinear_kernel"][0].tolist()
        [2.0, 2.0, 2.0, 2.0]
    """
    match params:
        case {"decoder": {"look": {"attention": {"kernel": kernel}} as look} as decoder}:
            if isinstance(kernel, np.ndarray):
                kernel = kernel * np.float32(len(kernel) ** 0.5)
            look = {**look, "attention": {"bilinear_kernel": kernel}}
            return {**params, "decoder": {**decoder, "look": look}}
        case _:
            return params


def _make_encoder(config: EncoderDecoderConfig) -> nn.Module:
    size, rate = config.hidden_size, config.layer_dropout_rate
    if config.encoder == "feedforward":
        return FeedForwardEncoder(size, config.encoder_window, rate)
    if config.encoder == "transformer":
        return TransformerEncoder(
            size, config.num_layers, config.num_heads, config.inner_size, rate
        )
    return RecurrentEncoder(
        config.encoder, size, config.num_layers, config.bidirectional, rate, config.forget_bias
    )


def _make_decoder(config: EncoderDecoderConfig) -> nn.Module:
    size, rate = config.hidden_size, config.layer_dropout_rate
    attends = config.context == "attention"
    score = config.score if attends else ""
    if config.decoder == "feedforward":
        return FeedForwardDecoder(size, config.embedding_size, config.decoder_window, rate, score)
    if config.decoder == "transformer":
        return TransformerDecoder(
            size, config.num_layers, config.num_heads, config.inner_size, rate, attends
        )
    return RecurrentDecoder(
        cell=config.decoder,
        size=size,
        num_layers=config.num_layers,
        dropout_rate=rate,
        forget_bias=config.forget_bias,
        score=score,
        input_feeding=config.input_feeding,
        reads_vector=config.reads_vector,
    )
