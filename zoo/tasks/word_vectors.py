"""Pre-trained word vectors as the start of a model's embeddings, to train on or frozen."""

import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from zoo.data.token_file import Tokens
from zoo.data.vocabulary import Vocabulary
from zoo.data.word_vectors import WordVectors, load_word_vectors
from zoo.errors import UserError
from zoo.types import Params, PyTree


def starting_vectors(
    config: ConfigDict, vocabulary: Vocabulary, tokens: Tokens
) -> WordVectors | None:
    """The vectors of `data.word_vectors`; None for none.

    Args:
        config: a run's config.
        vocabulary: V words.
        tokens: int32[N], the training text, for the report.

    Raises:
        UserError: the file can't be used, or its vectors have not model.embedding_size numbers.
    """
    if not config.data.word_vectors:
        return None
    vectors = load_word_vectors(config.data.word_vectors, vocabulary, tokens)
    width = vectors.matrix.shape[1]
    if width != config.model.embedding_size:
        raise UserError(
            f"the vectors of {config.data.word_vectors} have {width} numbers but "
            f"model.embedding_size is {config.model.embedding_size}; "
            f"use model.embedding_size={width}"
        )
    return vectors


def start_from(vectors: WordVectors | None, params: Params) -> PyTree:
    """Parameters whose `embedding` is the vectors, where there are any; words without one start at
    random, as spread out as they."""
    if vectors is None:
        return params
    spread = vectors.matrix[vectors.found].std()
    random = params["embedding"] * (spread / params["embedding"].std())
    embedding = jnp.where(vectors.found[:, None], vectors.matrix, random)
    return {**params, "embedding": embedding}


def frozen_vectors(config: ConfigDict, vectors: WordVectors | None) -> dict[str, np.ndarray] | None:
    """The embeddings that training leaves alone; words without a vector are always trained.

    Raises:
        UserError: there are no vectors to freeze.
    """
    if not config.training.freeze_word_vectors:
        return None
    if vectors is None:
        raise UserError(
            "training.freeze_word_vectors is set but there are none; use data.word_vectors=FILE"
        )
    return {"embedding": vectors.found[:, None]}
