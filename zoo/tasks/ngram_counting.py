"""Counting n-grams: one pass over the training text gives an n-gram model."""

from dataclasses import dataclass

import numpy as np
from ml_collections import ConfigDict

from zoo.checks import check_least
from zoo.data.config import TextConfig
from zoo.errors import WRONG_FORM, UserError
from zoo.models import kneser_ney, maximum_likelihood
from zoo.models.ngram_lm import NGramLM
from zoo.models.ngram_tables import fault_of_tables
from zoo.models.registry import build
from zoo.models.trained import TrainedLanguageModel
from zoo.tasks.encoded_text import EncodedText, describe, encode_corpus, sample
from zoo.tasks.language_modeling import LanguageModeling
from zoo.tasks.task import sections
from zoo.tasks.workload import CountingWorkload, Scores
from zoo.types import PyTree

_ESTIMATORS = {
    "kneser_ney": kneser_ney.estimate,
    "maximum_likelihood": maximum_likelihood.estimate,
}


@dataclass(frozen=True)
class CountingConfig:
    """The settings of counting.

    Attributes:
        seed: the seed of the sample that is shown at the end.
    """

    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise UserError(f"training.seed is {self.seed}; use 0 to {2**32 - 1}")


@dataclass(frozen=True)
class CountingEvaluation:
    """The settings of the evaluation of a counted model.

    Attributes:
        sample_tokens: the number of tokens of the sample that is shown at the end; 0 means no
            sample.
        report: whether report.html is written into the workdir at the end.
    """

    sample_tokens: int = 200
    report: bool = True

    def __post_init__(self) -> None:
        check_least(0, "evaluation", self, "sample_tokens")


@dataclass(frozen=True, kw_only=True, eq=False)
class NGramWorkload(CountingWorkload):
    """An n-gram model on its corpus.

    Attributes:
        text: the corpus.
        sample_tokens: the number of tokens of the sample.
    """

    text: EncodedText
    sample_tokens: int

    def estimate(self) -> tuple[PyTree, list[str]]:
        """Counts the tables; returns them, and lines about them for the user."""
        model = self.trained.model
        params, num_ngrams, notes = _ESTIMATORS[model.config.estimator](
            np.asarray(self.text.train), model.config, model.vocabulary_size
        )
        counts = [f"{count:,} of order {index + 1}" for index, count in enumerate(num_ngrams)]
        return params, [f"n-grams: {', '.join(counts)}", *(f"note: {note}" for note in notes)]

    def evaluate(self, params: PyTree) -> Scores:
        """Returns the scores on the validation split."""
        return self.text.score(self.trained.with_params(params))

    def describe(self, scores: Scores) -> str:
        """Returns a short description of scores."""
        return describe(scores)

    def sample(self, params: PyTree, seed: int) -> str:
        """Returns a text that the model generates."""
        return sample(self.trained.with_params(params), self.sample_tokens, seed)


class NGramCounting(LanguageModeling):
    """The task of n-gram models, which are used and measured like any language model."""

    records = sections(TextConfig, CountingConfig, CountingEvaluation)
    takes_steps = False
    open_fields = frozenset()
    has_infinite_params = True

    def parameter_shapes(self, model: NGramLM) -> None:
        """Returns None, because the number of n-grams depends on the corpus."""
        del model

    def fault_of(self, model: NGramLM, params: PyTree) -> str:
        """Returns a description of what is wrong with tables of n-grams; "" if nothing is."""
        try:
            told = fault_of_tables(params, model.config.order, model.vocabulary_size)
        except WRONG_FORM as error:
            told = repr(error)
        return f"its tables of n-grams are damaged ({told})" if told else ""

    def workload(self, config: ConfigDict) -> CountingWorkload:
        """Returns an n-gram model on its corpus; see `Task.workload`."""
        build(config.model.to_dict(), 0)  # reports invalid settings before the corpus is read
        text = encode_corpus(TextConfig(**config.data))
        model = build(config.model.to_dict(), len(text.vocabulary))
        return NGramWorkload(
            trained=TrainedLanguageModel(model=model, vocabulary=text.vocabulary),
            fingerprints=text.fingerprints,
            text=text,
            sample_tokens=config.evaluation.sample_tokens,
        )


NGRAM_COUNTING = NGramCounting()
