"""Pre-trained word vectors as the initial embeddings of a model, trained further or frozen."""

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
    """Returns the vectors of `data.word_vectors`, or None if the field is empty.

    Args:
        config: the config of a run.
        vocabulary: the vocabulary of V words.
        tokens: int32[N], the training text, for the report.

    Raises:
        UserError: the file cannot be used, or the width of its vectors differs from
            model.embedding_size.
    """
    if not config.data.word_vectors:
        return None
    vectors = load_word_vectors(config.data.word_vectors, vocabulary, tokens)
    width = vectors.matrix.shape[1]
    if width != config.model.embedding_size:
        raise UserError(
            f"the vectors of {config.data.word_vectors} have {width} numbers, but "
            f"model.embedding_size is {config.model.embedding_size}; "
            f"use model.embedding_size={width}"
        )
    return vectors


def start_from(vectors: WordVectors | None, params: Params) -> PyTree:
    """Returns parameters whose `embedding` starts from word vectors, if there are any.

    Words without a vector start at random, with the standard deviation of the vectors.
    """
    if vectors is None:
        return params
    spread = vectors.matrix[vectors.found].std()
    random = params["embedding"] * (spread / params["embedding"].std())
    embedding = jnp.where(vectors.found[:, None], vectors.matrix, random)
    return {**params, "embedding": embedding}


def frozen_vectors(config: ConfigDict, vectors: WordVectors | None) -> dict[str, np.ndarray] | None:
    """Returns the mask of frozen embeddings; words without a vector are always trained.

    Raises:
        UserError: there are no vectors to freeze.
    """
    if not config.training.freeze_word_vectors:
        return None
    if vectors is None:
        raise UserError(
            "training.freeze_word_vectors is set without a file; use data.word_vectors=FILE"
        )
    return {"embedding": vectors.found[:, None]}
