"""Language modelling: predict each next token of a text.

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
from zoo.data.text_reading import read_text
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
        reset_at_sentences: put the recurrent state back at every `<s>`; otherwise it is carried
            over sentences.
        freeze_word_vectors: leave the embeddings that data.word_vectors gave as they are; words
            without a vector are trained all the same.
    """

    reset_at_sentences: bool = False
    freeze_word_vectors: bool = False


@dataclass(frozen=True)
class LanguageModelEvaluation(EvaluationConfig):
    """What is measured of a language model.

    Attributes:
        mode: stream, with the state carried over sentences, or sentence, with the state reset.
        num_streams: in mode stream, score this many equal parts of the split side by side; each
            starts at the initial state, so 1 is exact and more is faster.
        sample_tokens: length of the sample that is shown at the end, in tokens; 0 for none.
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
        reset_at_sentences: put the state back to the initial one at every `<s>`; otherwise it is
            carried over sentences.
        has_padding: rows may end before the batch does, as those of sentences and of chunks of
            random length do.
        usual_length: of chunks of random length, the length whose learning rate is the
            optimizer's; a chunk of other length has its rate times length / usual_length. 0 for
            chunks of one length.
    """

    model: Model
    reset_at_sentences: bool = False
    has_padding: bool = False
    usual_length: int = 0

    def loss(self, params: Params, carry: PyTree, batch: Batch, key: Array) -> Loss:
        """Mean loss in nats per real token; see `Objective.loss`.

        The model's own penalty, see `LMOutput`, is in the mean, and not in the sums. The rows that
        `batch.fresh` names drop the state after the batch before.
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
        """What the learning rate is multiplied by for a batch."""
        if not self.usual_length:
            return 1.0
        return jnp.asarray(batch.lengths)[0] / jnp.float32(self.usual_length)


@dataclass(frozen=True, kw_only=True, eq=False)
class LanguageModelWorkload(Workload):
    """A language model on its corpus.

    Attributes:
        text: the corpus.
        evaluation: how it is scored.
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
        """Returns the scores of the mean of several models' probabilities."""
        models = tuple(self.trained.with_params(params) for params in parts)
        return self._score(Mixture(models, np.full(len(parts), 1 / len(parts))))

    def _score(self, trained: TrainedModel) -> Scores:
        evaluation = self.evaluation
        return self.text.score(trained, mode=evaluation.mode, num_streams=evaluation.num_streams)

    def describe(self, scores: Scores) -> str:
        """Returns scores in a few words."""
        return describe(scores)

    def sample(self, params: PyTree, seed: int) -> str:
        """Returns a text that the model writes."""
        return sample(self.trained.with_params(params), self.evaluation.sample_tokens, seed)

    def figures(self, params: PyTree) -> list[Json]:
        """Returns a recurrent model's gradient through time, on some of the validation split."""
        model, tokens = self.trained.model, self.text.validation
        steps = min(_MOST_STEPS_BACK, len(tokens) - 1)
        if not isinstance(model, RecurrentLM) or steps < 1:
            return []
        return [gradient_figure(gradient_flow(model, params, cut_rows(tokens, steps)))]


class LanguageModeling(Task):
    """Neural language models: recurrent and feed-forward ones."""

    kind = LANGUAGE_MODEL
    records = sections(DataConfig, LanguageModelTraining, LanguageModelEvaluation)
    flags = frozenset({"text", "mode", "dynamic", "cache"})
    open_fields = LENGTHS

    def settle(self, config: ConfigDict) -> Json:
        """Returns values for open fields by the length of the training text; see `Task.settle`.

        The text is measured in the training split's characters, or words, cut at spaces.
        """
        data = DataConfig(**config.data)
        of_characters = data.vocabulary == "character"
        lines = open_corpus(data)["train"]
        num_tokens = sum(1 + (len(line) if of_characters else len(line.split())) for line in lines)
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
        """Returns how well a model predicts a split or a text; see `Task.measure`."""
        model = request.adapted or checkpoint
        if not request.files:
            return evaluate(model, _lines(checkpoint, request), mode=request.mode)
        score = evaluate(model, read_text(request.files[0]), mode=request.mode)
        warn_of_unknown(score)
        return score

    def statistics(self, checkpoint: TrainedLanguageModel, request: Request) -> TextStatistics:
        """Returns the nats, tokens and characters of each line; see `Task.statistics`."""
        lines = _lines(checkpoint, request)
        scores = line_scores(checkpoint, lines, mode=request.mode)
        tokens = np.array([[one.nats, one.num_tokens] for one in scores])
        characters = np.array([[one.nats, one.num_characters] for one in scores])
        measures = {
            "perplexity": Measure(tokens, exp_ratio, same=(1,)),
            "bits_per_character": Measure(characters, bits_ratio),
        }
        return TextStatistics(lines, measures)


LANGUAGE_MODELING = LanguageModeling()


def _lines(checkpoint: TrainedLanguageModel, request: Request) -> list[str]:
    """The lines of the text that a model is measured on."""
    if request.files:
        return text_lines(read_text(request.files[0]))
    return corpus_lines(checkpoint, request.split, request.directory)


def _batches(data: DataConfig, tokens: np.ndarray | TokenFile, seed: int) -> SeededBatches:
    if data.batching == "sentence":
        if data.random_length:
            raise UserError(
                "data.random_length is of streams; use data.batching=stream, or "
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
