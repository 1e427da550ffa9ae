"""Translation: generate the target sentence of a source sentence.

loss = -(1/N) sum_n (1 - e) log p(target_n | targets before it, source)
                    + (e/V) sum_v log p(v | targets before it, source)

N is the number of real target tokens and e the label smoothing (Szegedy et al. 2016). The targets
before a token are the true targets (teacher forcing). Scheduled sampling replaces some of them by
the words that the model finds most probable (Bengio et al. 2015). The model's words for all
positions come from one extra pass, in which they follow true words (Duckworth et al. 2019).

Axes: B rows, T target steps, V target vocabulary.
"""

from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from zoo.checks import check_least, check_rates
from zoo.data.config import ParallelDataConfig
from zoo.data.corpora.parallel_text import side_by_side
from zoo.data.fingerprints import of_pairs
from zoo.data.labeled_batching import encode_texts
from zoo.data.loading import ParallelTexts, load_parallel_corpus
from zoo.data.parallel_batching import ParallelBatch, ParallelBatches, keep_short
from zoo.data.text_reading import Lines
from zoo.data.vocabulary import vocabulary_from_json
from zoo.decoding.translation import TRANSLATOR, TrainedTranslator, Translation, translate
from zoo.diagnostics.figures import alignment_figure
from zoo.errors import UserError
from zoo.evaluation.bleu import bleu_of_sums, count_ngrams, import_sacrebleu
from zoo.evaluation.comparing import Measure, TextStatistics
from zoo.evaluation.translating import TranslationScore, evaluate_translator
from zoo.layers.masks import real_steps
from zoo.models.encoder_decoder import scale_bilinear_kernel
from zoo.models.output import Model
from zoo.models.registry import build
from zoo.tasks.by_size import LENGTHS, lengths, settings_of_pairs
from zoo.tasks.encoded_pairs import (
    encode_parallel_corpus,
    fingerprints_of,
    note_left_out,
)
from zoo.tasks.losses import output_losses
from zoo.tasks.own_corpus import note_other_text, own_data_config
from zoo.tasks.settings import EvaluationConfig, TrainingConfig
from zoo.tasks.summary import describe_rows, describe_tokens
from zoo.tasks.task import Loss, Objective, Request, Task, sections
from zoo.tasks.workload import Scores, Workload
from zoo.types import Json, Params, PyTree

Array = jax.Array

_NUM_SHOWN = 3


@dataclass(frozen=True)
class TranslatorTraining(TrainingConfig):
    """The settings of the loop for a translator.

    Attributes:
        label_smoothing: the part of a target's probability that is spread over all tokens.
        scheduled_sampling_rate: the fraction of the target words read in training that are the
            model's own words.
    """

    label_smoothing: float = 0.0
    scheduled_sampling_rate: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rates("training", self, "label_smoothing", "scheduled_sampling_rate")


@dataclass(frozen=True)
class TranslatorEvaluation(EvaluationConfig):
    """The settings of the evaluation of a translator.

    Attributes:
        beam_size: the beam size of the search. 1 means greedy decoding.
    """

    beam_size: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(1, "evaluation", self, "beam_size")


@dataclass(frozen=True)
class TranslatorLoss(Objective):
    """The loss of an encoder-decoder.

    Attributes:
        model: a module that maps sources and target inputs to a TranslationOutput.
        label_smoothing: e.
        scheduled_sampling_rate: the fraction of the inputs that are the model's own words.
    """

    model: Model
    label_smoothing: float = 0.0
    scheduled_sampling_rate: float = 0.0

    def loss(self, params: Params, carry: PyTree, batch: ParallelBatch, key: Array) -> Loss:
        """Returns the mean loss in nats per real target token; see `Objective.loss`."""
        dropout_key, sampling_key = jax.random.split(key)
        inputs = jnp.asarray(batch.inputs)
        if self.scheduled_sampling_rate:
            inputs = self._mix_inputs(params, batch, inputs, sampling_key)
        output = self._apply(params, batch, inputs, rngs={"dropout": dropout_key})
        targets = jnp.asarray(batch.targets)
        weights = real_steps(targets, jnp.asarray(batch.lengths)).astype(output.logits.dtype)
        total, nats = output_losses(output, targets, weights, self.label_smoothing)
        count = batch.lengths.sum().astype(total.dtype)
        metrics = {"loss_nats": (weights * nats).sum(), "num_targets": count, "num_tokens": count}
        return total / count, (carry, metrics)

    def _apply(self, params: Params, batch: ParallelBatch, inputs: Array, **options: Any) -> Any:
        return self.model.apply(
            {"params": params},
            batch.sources,
            batch.source_lengths,
            inputs,
            deterministic=not options,
            **options,
        )

    def _mix_inputs(self, params: Params, batch: ParallelBatch, inputs: Array, key: Array) -> Array:
        """Replaces some of the inputs after `<s>` by the model's own most probable words."""
        logits = jax.lax.stop_gradient(self._apply(params, batch, inputs).logits)
        own = logits.argmax(axis=-1).astype(inputs.dtype)
        shifted = jnp.concatenate([inputs[:, :1], own[:, :-1]], axis=1)
        chosen = jax.random.bernoulli(key, self.scheduled_sampling_rate, inputs.shape)
        return jnp.where(chosen.at[:, 0].set(False), shifted, inputs)


@dataclass(frozen=True, kw_only=True, eq=False)
class TranslatorWorkload(Workload):
    """An encoder-decoder on its corpus.

    Attributes:
        trained: the translator without parameters.
        validation: the validation split.
        beam_size: the beam size of the search.
    """

    trained: TrainedTranslator
    validation: ParallelTexts
    beam_size: int

    def init_params(self, key: Array) -> PyTree:
        """Returns the parameters before training."""
        return TRANSLATION.init(self.trained.model, key)

    def evaluate(self, params: PyTree) -> Scores:
        """Returns the scores on the validation split."""
        trained = self.trained.with_params(params)
        return evaluate_translator(trained, self.validation, beam_size=self.beam_size).scores()

    def describe(self, scores: Scores) -> str:
        """Returns a short description of scores."""
        return describe(scores)

    def sample(self, params: PyTree, seed: int) -> str:
        """Returns the first sentences of the validation split and their translations."""
        del seed
        return "\n".join(f"{one.source}\n    -> {one.text}" for one in self._translate(params))

    def figures(self, params: PyTree) -> list[Json]:
        """Returns the figures of the attention for these translations."""
        found = self._translate(params)
        return [figure for one in found if (figure := alignment_figure(one))]

    def _translate(self, params: PyTree) -> list[Translation]:
        sources = self.validation.sources[:_NUM_SHOWN]
        return translate(self.trained.with_params(params), sources, beam_size=1)


class Translating(Task):
    """The task of translation from one language to another."""

    kind = TRANSLATOR
    records = sections(ParallelDataConfig, TranslatorTraining, TranslatorEvaluation)
    flags = frozenset({"source", "target", "beam_size"})
    open_fields = LENGTHS | frozenset(settings_of_pairs(1000, 100))

    def settle(self, config: ConfigDict) -> Json:
        """Returns values for open fields by the size of the training pairs; see `Task.settle`."""
        given: Json = {name: value for name, value in config.data.items() if value is not None}
        pairs = load_parallel_corpus(ParallelDataConfig(**given))["train"]
        num_pairs = len(pairs.sources)
        characters = set(chain.from_iterable(chain(pairs.sources, pairs.targets)))
        values = settings_of_pairs(num_pairs, len(characters))
        steps_per_epoch = num_pairs / (config.data.batch_size or values["data.batch_size"])
        return values | lengths(config, steps_per_epoch, aim=3700, most=20)

    def open(self, config: Json, vocabulary: Json, progress: Json) -> TrainedTranslator:
        """Returns a checkpoint without its parameters; see `Task.open`."""
        source = vocabulary_from_json(vocabulary["source"])
        target = vocabulary_from_json(vocabulary["target"])
        return TrainedTranslator(
            model=build(config["model"], len(target), source_vocabulary_size=len(source)),
            vocabulary=target,
            config=config,
            progress=progress,
            source_vocabulary=source,
            lowercase=bool(config.get("data", {}).get("lowercase", False)),
        )

    def init(self, model: nn.Module, key: Array) -> PyTree:
        """Returns a model's parameters before training."""
        tokens = jnp.ones((1, 1), jnp.int32)
        return model.init(key, tokens, jnp.ones(1, jnp.int32), tokens)["params"]

    def in_present_form(self, params: PyTree) -> PyTree:
        """Converts stored parameters of an older version; see `Task.in_present_form`."""
        return scale_bilinear_kernel(params)

    def workload(self, config: ConfigDict) -> TranslatorWorkload:
        """Returns an encoder-decoder on its corpus; see `Task.workload`."""
        import_sacrebleu()  # checked now, because the first evaluation may come hours later
        data = ParallelDataConfig(**config.data)
        training = config.training
        source, target, splits = encode_parallel_corpus(data)
        if config.model.share_embeddings and not data.share_vocabulary:
            raise UserError(
                "model.share_embeddings needs one vocabulary; use data.share_vocabulary=True"
            )
        model = build(config.model.to_dict(), len(target), source_vocabulary_size=len(source))
        train = splits["train"]
        rows = encode_texts(source, train.sources), encode_texts(target, train.targets)
        kept = keep_short(*rows, data.max_tokens)
        return TranslatorWorkload(
            trained=TrainedTranslator(
                model=model,
                vocabulary=target,
                source_vocabulary=source,
                lowercase=data.lowercase,
            ),
            fingerprints=fingerprints_of(splits),
            objective=TranslatorLoss(
                model, training.label_smoothing, training.scheduled_sampling_rate
            ),
            batches=ParallelBatches(
                *kept,
                batch_size=data.batch_size,
                bucket_lengths=data.bucket_lengths,
                seed=training.seed,
            ),
            summary=(
                describe_rows("pairs", {name: len(one.sources) for name, one in splits.items()}),
                describe_tokens(len(source), {"train": kept[0]}, "source "),
                describe_tokens(len(target), {"train": kept[1]}, "target "),
            ),
            notes=note_left_out(len(rows[0]), len(kept[0]), data.max_tokens),
            validation=splits["validation"],
            beam_size=config.evaluation.beam_size,
        )

    def measure(self, checkpoint: TrainedTranslator, request: Request) -> TranslationScore:
        """Returns the scores of a translator on a split or two texts; see `Task.measure`."""
        return evaluate_translator(
            checkpoint, _pairs(checkpoint, request), beam_size=request.beam_size
        )

    def statistics(self, checkpoint: TrainedTranslator, request: Request) -> TextStatistics:
        """Returns the n-gram counts of each translation for BLEU; see `Task.statistics`."""
        sources, targets, _ = _pairs(checkpoint, request)
        written = [one.text for one in translate(checkpoint, sources, beam_size=request.beam_size)]
        measure = Measure(count_ngrams(written, targets), bleu_of_sums)
        texts = [f"{source} -> {target}" for source, target in zip(sources, targets, strict=True)]
        return TextStatistics(texts, {"bleu": measure})


TRANSLATION = Translating()


def _pairs(checkpoint: TrainedTranslator, request: Request) -> ParallelTexts:
    """Returns the sentence pairs of a request."""
    if request.files:
        found = side_by_side(Lines(request.files))
        return ParallelTexts(*map(list, zip(*found, strict=True)))
    data = own_data_config(checkpoint, ParallelDataConfig, request.directory)
    data = replace(data, lowercase=False)  # references keep their capitals
    pairs = load_parallel_corpus(data)[request.split]
    note_other_text(checkpoint, request.split, of_pairs(pairs.sources, pairs.targets))
    return pairs


def describe(scores: dict[str, float]) -> str:
    """Returns a short description of scores.

    Example:
        >>> describe({"bleu": 31.24, "perplexity": 5.5})
        'BLEU 31.2, perplexity 5.50 (teacher-forced)'
        >>> describe({"bleu": 31.24, "perplexity": 5.5, "alignment_error_rate": 0.1})
        'BLEU 31.2, perplexity 5.50 (teacher-forced), alignment error rate 0.100'
    """
    rate = scores.get("alignment_error_rate")
    aligned = "" if rate is None else f", alignment error rate {rate:.3f}"
    return (
        f"BLEU {scores['bleu']:.1f}, perplexity {scores['perplexity']:.2f} "
        f"(teacher-forced){aligned}"
    )
