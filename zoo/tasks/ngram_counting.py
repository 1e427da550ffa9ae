"""Counting n-grams: the one pass over the training text that makes an n-gram model."""

from typing import Any

import numpy as np
from ml_collections import ConfigDict

from zoo.data.corpora import DataConfig
from zoo.models import kneser_ney, maximum_likelihood
from zoo.models.registry import build
from zoo.tasks.encoded_text import describe, encode_corpus
from zoo.tasks.workload import CountingWorkload

_ESTIMATORS = {
    "kneser_ney": kneser_ney.estimate,
    "maximum_likelihood": maximum_likelihood.estimate,
}


def build_workload(config: ConfigDict) -> CountingWorkload:
    """An n-gram model on its corpus.

    Args:
        config: a run's config.

    Raises:
        UserError: for a corpus that can't be read, or a setting that can't be.
    """
    model = build(config.model.to_dict(), 0)  # a setting that can't be is told before reading
    text = encode_corpus(DataConfig(**config.data))
    model = build(config.model.to_dict(), len(text.vocabulary))

    def estimate() -> tuple[Any, list[str]]:
        params, num_ngrams, notes = _ESTIMATORS[model.config.estimator](
            np.asarray(text.train), model.config, model.vocabulary_size
        )
        counts = [f"{count:,} of order {index + 1}" for index, count in enumerate(num_ngrams)]
        return params, [f"n-grams: {', '.join(counts)}", *(f"note: {note}" for note in notes)]

    return CountingWorkload(
        estimate=estimate,
        vocabulary=text.vocabulary.to_json(),
        evaluate=lambda params: text.score(model, params),
        describe=describe,
        fingerprints=text.fingerprints,
        sample=lambda params, seed: text.sample(
            model, params, config.evaluation.sample_tokens, seed
        ),
    )
