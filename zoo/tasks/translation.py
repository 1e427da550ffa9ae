"""Translation: write the target sentence of a source sentence.

loss = -(1/N) sum_n (1 - e) log p(target_n | targets before it, source)
                    + (e/V) sum_v log p(v | targets before it, source)

over N real target tokens, with label smoothing e (Szegedy et al. 2016). The targets before it are
the true ones (teacher forcing), or with scheduled sampling, at a rate of their positions, what the
model itself finds most probable there (Bengio et al. 2015); two passes make all of a sentence's at
once, so the model's own words follow true ones (Duckworth et al. 2019).

Axes: B rows, T target steps, V target vocabulary.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from zoo.data.fingerprints import of_pairs
from zoo.data.labeled_batching import encode_texts
from zoo.data.parallel_batching import ParallelBatch, ParallelBatches, keep_short
from zoo.data.parallel_corpora import ParallelDataConfig, ParallelTexts, load_parallel_corpus
from zoo.data.vocabulary import Vocabulary, build_vocabulary, count_unknown
from zoo.decoding.translation import Translation, translate
from zoo.diagnostics.figures import alignment_figure
from zoo.errors import UserError
from zoo.evaluation.bleu import import_sacrebleu
from zoo.evaluation.translating import evaluate_translator
from zoo.layers.masks import real_steps
from zoo.models.registry import build
from zoo.tasks.losses import output_losses
from zoo.tasks.task import Task
from zoo.tasks.workload import Workload

Array = jax.Array

_NUM_SHOWN = 3


@dataclass(frozen=True)
class Translating(Task):
    """The task of an encoder-decoder.

    Attributes:
        model: a module that maps sources and target inputs to a TranslationOutput.
        label_smoothing: e.
        scheduled_sampling_rate: fraction of the inputs that are the model's own words.
    """

    model: nn.Module
    label_smoothing: float = 0.0
    scheduled_sampling_rate: float = 0.0

    def loss(
        self, params: Any, carry: Any, batch: ParallelBatch, key: Array
    ) -> tuple[Array, tuple[Any, dict[str, Array]]]:
        """Mean loss in nats per real target token, the carry as it was, and the sums behind it.

        Args:
            params: the model's parameters.
            carry: handed on untouched; sentences have no past.
            batch: sources, inputs, targets and their lengths.
            key: random key for dropout and sampling.
        """
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

    def _apply(self, params: Any, batch: ParallelBatch, inputs: Array, **options: Any) -> Any:
        return self.model.apply(
            {"params": params},
            batch.sources,
            batch.source_lengths,
            inputs,
            deterministic=not options,
            **options,
        )

    def _mix_inputs(self, params: Any, batch: ParallelBatch, inputs: Array, key: Array) -> Array:
        """Some of the inputs, but not `<s>`, replaced by what the model would have written."""
        logits = jax.lax.stop_gradient(self._apply(params, batch, inputs).logits)
        own = logits.argmax(axis=-1).astype(inputs.dtype)
        shifted = jnp.concatenate([inputs[:, :1], own[:, :-1]], axis=1)
        chosen = jax.random.bernoulli(key, self.scheduled_sampling_rate, inputs.shape)
        return jnp.where(chosen.at[:, 0].set(False), shifted, inputs)


class EncodedPairs(NamedTuple):
    """A parallel corpus as a translator takes it.

    Attributes:
        source_vocabulary: made from the training sources, or where shared from both sides.
        target_vocabulary: the same of the targets.
        splits: the texts.
    """

    source_vocabulary: Vocabulary
    target_vocabulary: Vocabulary
    splits: dict[str, ParallelTexts]


class _Trained(NamedTuple):
    """What translating needs of a model that is not yet a checkpoint."""

    model: Any
    params: Any
    vocabulary: Vocabulary
    source_vocabulary: Vocabulary
    lowercase: bool


class _Shown(NamedTuple):
    """What a run shows of its translator along the way, all on the validation split."""

    trained: Callable[[Any], _Trained]  # of parameters
    validation: ParallelTexts
    beam_size: int

    def evaluate(self, params: Any) -> dict[str, float]:
        """The scores by name."""
        trained = self.trained(params)
        return evaluate_translator(trained, self.validation, beam_size=self.beam_size).record()

    def sample(self, params: Any, seed: int) -> str:
        """The first sentences and their translations."""
        del seed
        found = self._translate(params)
        return "\n".join(f"{one.source}\n    -> {one.text}" for one in found)

    def figures(self, params: Any) -> list[dict[str, Any]]:
        """The attention of the same."""
        return [figure for one in self._translate(params) if (figure := alignment_figure(one))]

    def _translate(self, params: Any) -> list[Translation]:
        return translate(self.trained(params), self.validation.sources[:_NUM_SHOWN], beam_size=1)


def encode_parallel_corpus(data: ParallelDataConfig) -> EncodedPairs:
    """Reads a corpus and makes its vocabularies.

    Raises:
        UserError: for a corpus that can't be read, or a vocabulary that can't be made.
    """
    splits = load_parallel_corpus(data)
    train = splits["train"]
    options: dict[str, Any] = {"max_size": data.vocabulary_size, "min_count": data.min_count}
    if data.share_vocabulary:
        lines = [*train.sources, *train.targets]
        both = build_vocabulary(data.vocabulary, lines, **options)
        return EncodedPairs(both, both, splits)
    source, target = (
        build_vocabulary(data.vocabulary, lines, **options)
        for lines in (train.sources, train.targets)
    )
    return EncodedPairs(source, target, splits)


def build_workload(config: ConfigDict) -> Workload:
    """An encoder-decoder on its corpus.

    Raises:
        UserError: for a corpus that can't be read, or a setting that can't be.
    """
    import_sacrebleu()  # the score on validation needs it, and that is hours away
    data = ParallelDataConfig(**config.data)
    training = config.training
    source, target, splits = encode_parallel_corpus(data)
    if config.model.share_embeddings and not data.share_vocabulary:
        raise UserError(
            "model.share_embeddings needs one vocabulary: --config.data.share_vocabulary=True"
        )
    model = build(config.model.to_dict(), len(target), source_vocabulary_size=len(source))
    train = splits["train"]
    rows = encode_texts(source, train.sources), encode_texts(target, train.targets)
    kept = keep_short(*rows, data.max_tokens)
    batches = ParallelBatches(
        *kept,
        batch_size=data.batch_size,
        bucket_lengths=data.bucket_lengths,
        seed=training.seed,
    )
    ones = jnp.ones((1, 1), jnp.int32)
    shown = _Shown(
        lambda params: _Trained(model, params, target, source, data.lowercase),
        splits["validation"],
        config.evaluation.beam_size,
    )

    return Workload(
        task=Translating(model, training.label_smoothing, training.scheduled_sampling_rate),
        init_params=lambda key: model.init(key, ones, jnp.ones(1, jnp.int32), ones)["params"],
        carry=(),
        batches=batches,
        vocabulary={"source": source.to_json(), "target": target.to_json()},
        evaluate=shown.evaluate,
        criterion="error",
        describe=describe,
        sample=shown.sample,
        figures=shown.figures,
        fingerprints=_fingerprints(splits),
        notes=_left_out(len(rows[0]), len(kept[0]), data.max_tokens)
        + _unknown("source", kept[0])
        + _unknown("target", kept[1]),
    )


def _fingerprints(splits: dict[str, ParallelTexts]) -> dict[str, str]:
    """The fingerprint of each split."""
    return {split: of_pairs(texts.sources, texts.targets) for split, texts in splits.items()}


def _left_out(given: int, kept: int, max_tokens: int) -> tuple[str, ...]:
    """How many training pairs were too long, in a line; none where all were kept."""
    if given == kept:
        return ()
    return (
        f"{given - kept:,} of {given:,} training pairs have a side longer than {max_tokens} tokens "
        "and were left out",
    )


def _unknown(side: str, rows: list[np.ndarray]) -> tuple[str, ...]:
    """How many of a side's training tokens are `<unk>`, in a line; none for none."""
    tokens = np.concatenate(rows)
    unknown = count_unknown(tokens)
    return (f"{unknown / len(tokens):.1%} of the {side} tokens are <unk>",) if unknown else ()


def describe(scores: dict[str, float]) -> str:
    """Scores in a few words.

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
