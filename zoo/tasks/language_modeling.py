"""Language modelling: predict the next token of a text.

loss = -(1/N) sum_n log p(target_n | tokens before it)     nats per token, over N real tokens
"""

from dataclasses import dataclass
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from zoo.checks import check_least
from zoo.data.batching import Batch, SeededBatches, SentenceBatches
from zoo.data.config import DataConfig
from zoo.data.loading import open_corpus
from zoo.data.streams import StreamBatches
from zoo.data.tables import read_running_text
from zoo.data.token_file import TokenFile
from zoo.data.vocabulary import vocabulary_from_json
from zoo.diagnostics.figures import gradient_figure
from zoo.diagnostics.gradient_flow import cut_rows, gradient_flow
from zoo.errors import UserError
from zoo.evaluation.comparing import Measure, TextStatistics, bits_ratio, exp_ratio
from zoo.evaluation.interpolation import Mixture
from zoo.evaluation.line_scores import line_scores
from zoo.evaluation.modes import MODES, Mode
from zoo.evaluation.perplexity import Score, evaluate, text_lines, warn_of_unknown
from zoo.layers.masks import real_steps
from zoo.models.output import LMOutput, Model
from zoo.models.recurrent_lm import RecurrentLM
from zoo.models.registry import build
from zoo.models.trained import LANGUAGE_MODEL, TrainedLanguageModel, TrainedModel
from zoo.special_tokens import START_ID
from zoo.tasks.by_size import LENGTHS, lengths
from zoo.tasks.encoded_text import EncodedText, describe, encode_corpus, sample
from zoo.tasks.losses import output_losses
from zoo.tasks.own_corpus import corpus_lines
from zoo.tasks.settings import EvaluationConfig, TrainingConfig
from zoo.tasks.task import Loss, Objective, Request, Task, sections
from zoo.tasks.word_vectors import frozen_vectors, start_from, starting_vectors
from zoo.tasks.workload import CountingWorkload, Scores, Workload
from zoo.types import Json, Params, PyTree

Array = jax.Array

_MOST_STEPS_BACK = 50


@dataclass(frozen=True)
class LanguageModelTraining(TrainingConfig):
    """The settings of the loop for a language model.

    Attributes:
        reset_at_sentences: whether the recurrent state is reset at every `<s>`; otherwise it is
            carried over sentences.
        freeze_word_vectors: whether embeddings from data.word_vectors stay fixed. Words without a
            vector are always trained.
    """

    reset_at_sentences: bool = False
    freeze_word_vectors: bool = False


@dataclass(frozen=True)
class LanguageModelEvaluation(EvaluationConfig):
    """The settings of the evaluation of a language model.

    Attributes:
        mode: stream carries the state over sentences; sentence resets it.
        num_streams: the number of equal parts of the split that are scored in parallel, in mode
            stream. Each part starts at the initial state, so 1 is exact and more parts are faster.
        sample_tokens: the number of tokens of the sample that is shown at the end; 0 means no
            sample.
    """

    mode: Mode = "stream"
    num_streams: int = 1
    sample_tokens: int = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(1, "evaluation", self, "num_streams")
        check_least(0, "evaluation", self, "sample_tokens")
        if self.mode not in MODES:
            raise UserError(f"evaluation.mode is {self.mode!r}; use {' or '.join(MODES)}")


@dataclass(frozen=True)
class LanguageModelLoss(Objective):
    """The loss of a language model.

    Attributes:
        model: a module that maps tokens and a carry to an LMOutput.
        reset_at_sentences: whether the state is reset at every `<s>`; otherwise it is carried over
            sentences.
        has_padding: whether rows may be padded, as for sentences and chunks of random length.
        usual_length: for chunks of random length, the length with the optimizer's learning rate. A
            chunk of another length multiplies the rate by length / usual_length. 0 means that all
            chunks have the same length.
    """

    model: Model
    reset_at_sentences: bool = False
    has_padding: bool = False
    usual_length: int = 0

    def loss(self, params: Params, carry: PyTree, batch: Batch, key: Array) -> Loss:
        """Returns the mean loss in nats per real token; see `Objective.loss`.

        The model's own penalty (see `LMOutput`) is part of the mean, but not of the sums. Rows with
        `batch.fresh` drop the state of the previous batch.
        """
        resets = jnp.asarray(batch.fresh)[:, None]
        if self.reset_at_sentences:
            resets = (jnp.asarray(batch.inputs) == START_ID).at[:, 0].max(batch.fresh)
        output: LMOutput = self.model.apply(
            {"params": params},
            batch.inputs,
            carry,
            resets=resets,
            lengths=jnp.asarray(batch.lengths) if self.has_padding else None,
            deterministic=False,
            rngs={"dropout": key},
        )
        targets = jnp.asarray(batch.targets)
        weights = real_steps(targets, jnp.asarray(batch.lengths)).astype(output.logits.dtype)
        total, _ = output_losses(output, targets, weights)
        count = batch.lengths.sum().astype(total.dtype)
        metrics = {"loss_nats": total, "num_targets": count, "num_tokens": count}
        mean = total / count
        if output.penalty is not None:
            mean = mean + output.penalty
        return mean, (output.carry, metrics)

    def rate_factor(self, batch: Batch) -> Array | float:
        """Returns the factor of the learning rate for a batch."""
        if not self.usual_length:
            return 1.0
        return jnp.asarray(batch.lengths)[0] / jnp.float32(self.usual_length)


@dataclass(frozen=True, kw_only=True, eq=False)
class LanguageModelWorkload(Workload):
    """A language model on its corpus.

    Attributes:
        text: the corpus.
        evaluation: the settings of the evaluation.
    """

    criterion: ClassVar[str] = "nats_per_token"

    text: EncodedText
    evaluation: LanguageModelEvaluation

    def init_params(self, key: Array) -> PyTree:
        """Returns the parameters before training."""
        return start_from(self.vectors, LANGUAGE_MODELING.init(self.trained.model, key))

    def evaluate(self, params: PyTree) -> Scores:
        """Returns the scores on the validation split."""
        return self._score(self.trained.with_params(params))

    def evaluate_ensemble(self, parts: list[PyTree]) -> Scores:
        """Returns the scores of the ensemble, the mean of the models' probabilities."""
        models = tuple(self.trained.with_params(params) for params in parts)
        return self._score(Mixture(models, np.full(len(parts), 1 / len(parts))))

    def _score(self, trained: TrainedModel) -> Scores:
        evaluation = self.evaluation
        return self.text.score(trained, mode=evaluation.mode, num_streams=evaluation.num_streams)

    def describe(self, scores: Scores) -> str:
        """Returns a short description of scores."""
        return describe(scores)

    def sample(self, params: PyTree, seed: int) -> str:
        """Returns a text that the model generates."""
        return sample(self.trained.with_params(params), self.evaluation.sample_tokens, seed)

    def figures(self, params: PyTree) -> list[Json]:
        """Returns the figure of the gradient through time, on a part of the validation split."""
        model, tokens = self.trained.model, self.text.validation
        steps = min(_MOST_STEPS_BACK, len(tokens) - 1)
        if not isinstance(model, RecurrentLM) or steps < 1:
            return []
        return [gradient_figure(gradient_flow(model, params, cut_rows(tokens, steps)))]


class LanguageModeling(Task):
    """The task of neural language models, recurrent or feed-forward."""

    kind = LANGUAGE_MODEL
    records = sections(DataConfig, LanguageModelTraining, LanguageModelEvaluation)
    flags = frozenset({"text", "mode", "dynamic", "cache"})
    open_fields = LENGTHS

    def settle(self, config: ConfigDict) -> Json:
        """Returns values for open fields by the length of the training text; see `Task.settle`.

        The length is the number of characters, or of words between spaces, of the training split.
        """
        data = DataConfig(**config.data)
        if data.vocabulary == "character":
            num_tokens = len(encode_corpus(data).train)  # the cache has it after the first time
        else:
            num_tokens = sum(1 + len(line.split()) for line in open_corpus(data)["train"])
        steps_per_epoch = num_tokens / (data.batch_size * data.sequence_length)
        return lengths(config, steps_per_epoch, aim=3000, most=30)

    def open(self, config: Json, vocabulary: Json, progress: Json) -> TrainedLanguageModel:
        """Returns a checkpoint without its parameters; see `Task.open`."""
        tokens = vocabulary_from_json(vocabulary)
        return TrainedLanguageModel(
            model=build(config["model"], len(tokens)),
            vocabulary=tokens,
            config=config,
            progress=progress,
        )

    def init(self, model: nn.Module, key: Array) -> PyTree:
        """Returns a model's parameters before training."""
        return model.init(key, jnp.zeros((1, 1), jnp.int32))["params"]

    def workload(self, config: ConfigDict) -> Workload | CountingWorkload:
        """Returns a language model on its corpus; see `Task.workload`."""
        data = DataConfig(**config.data)
        text = encode_corpus(data)
        model = build(config.model.to_dict(), len(text.vocabulary))
        vectors = starting_vectors(config, text.vocabulary, text.train)
        return LanguageModelWorkload(
            trained=TrainedLanguageModel(model=model, vocabulary=text.vocabulary),
            fingerprints=text.fingerprints,
            objective=LanguageModelLoss(
                model,
                config.training.reset_at_sentences,
                has_padding=data.random_length or data.batching == "sentence",
                usual_length=data.sequence_length if data.random_length else 0,
            ),
            batches=_batches(data, text.train, config.training.seed),
            carry=model.zero_carry(data.batch_size),
            frozen=frozen_vectors(config, vectors),
            summary=text.summary(),
            notes=(vectors.report,) if vectors else (),
            text=text,
            vectors=vectors,
            evaluation=LanguageModelEvaluation(**config.evaluation),
        )

    def measure(self, checkpoint: TrainedLanguageModel, request: Request) -> Score:
        """Returns the scores of a model on a split or a text; see `Task.measure`."""
        model = request.adapted or checkpoint
        if not request.files:
            return evaluate(model, _lines(checkpoint, request), mode=request.mode)
        score = evaluate(model, read_running_text(request.files[0]), mode=request.mode)
        warn_of_unknown(score)
        return score

    def statistics(self, checkpoint: TrainedLanguageModel, request: Request) -> TextStatistics:
        """Returns the nats, tokens and characters of each line; see `Task.statistics`.

        Two models are only compared if both know the same number of tokens of each line, because
        `<unk>` is easier to predict than the words that it stands for.
        """
        lines = _lines(checkpoint, request)
        scores = line_scores(checkpoint, lines, mode=request.mode)
        tokens = np.array([[one.nats, one.num_tokens, one.num_unknown] for one in scores])
        characters = np.array([[one.nats, one.num_characters, one.num_unknown] for one in scores])
        measures = {
            "perplexity": Measure(tokens, exp_ratio, same=(1, 2)),
            "bits_per_character": Measure(characters, bits_ratio, same=(2,)),
        }
        return TextStatistics(lines, measures)


LANGUAGE_MODELING = LanguageModeling()


def _lines(checkpoint: TrainedLanguageModel, request: Request) -> list[str]:
    """Returns the lines of the text of a request."""
    if request.files:
        return text_lines(read_running_text(request.files[0]))
    return corpus_lines(checkpoint, request.split, request.directory)


def _batches(data: DataConfig, tokens: np.ndarray | TokenFile, seed: int) -> SeededBatches:
    if data.batching == "sentence":
        if data.random_length:
            raise UserError(
                "data.random_length is only for streams; use data.batching=stream, or "
                "data.random_length=False"
            )
        return SentenceBatches(
            tokens, batch_size=data.batch_size, bucket_lengths=data.bucket_lengths, seed=seed
        )
    if data.batching != "stream":
        raise UserError(f"data.batching is {data.batching!r}; use stream or sentence")
    return StreamBatches(
        tokens,
        batch_size=data.batch_size,
        sequence_length=data.sequence_length,
        seed=seed,
        random_offset=data.random_offset,
        random_length=data.random_length,
    )
