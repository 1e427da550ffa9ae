"""Language modelling: predict each next token of a text.

loss = -(1/N) sum_n log p(target_n | tokens before it)     nats per token, over N real tokens
"""

from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from zoo.data.batching import Batch, SeededBatches, SentenceBatches
from zoo.data.corpora import DataConfig
from zoo.data.streams import StreamBatches
from zoo.diagnostics.figures import gradient_figure
from zoo.diagnostics.gradient_flow import cut_rows, gradient_flow
from zoo.errors import UserError
from zoo.layers.masks import real_steps
from zoo.models.mixture import MixtureLM
from zoo.models.recurrent_lm import RecurrentLM
from zoo.models.registry import build
from zoo.special_tokens import START_ID
from zoo.tasks.encoded_text import describe, encode_corpus
from zoo.tasks.losses import output_losses
from zoo.tasks.task import Task
from zoo.tasks.word_vectors import frozen_vectors, start_from, starting_vectors
from zoo.tasks.workload import Workload

Array = jax.Array

_MOST_STEPS_BACK = 50


@dataclass(frozen=True)
class LanguageModeling(Task):
    """The task of a language model.

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

    model: nn.Module
    reset_at_sentences: bool = False
    has_padding: bool = False
    usual_length: int = 0

    def loss(
        self, params: Any, carry: Any, batch: Batch, key: Array
    ) -> tuple[Array, tuple[Any, dict[str, Array]]]:
        """Mean loss in nats per real token, the next carry, and the sums behind the mean.

        The model's own penalty, see `LMOutput`, is in the mean, and not in the sums.

        Args:
            params: the model's parameters.
            carry: the state after the batch before; rows with `batch.fresh` drop it.
            batch: inputs, targets, lengths and fresh.
            key: random key for dropout.
        """
        resets: Any = batch.fresh[:, None]
        if self.reset_at_sentences:
            resets = (jnp.asarray(batch.inputs) == START_ID).at[:, 0].max(batch.fresh)
        output: Any = self.model.apply(
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


def build_workload(config: ConfigDict) -> Workload:
    """A language model on its corpus.

    Args:
        config: a run's config.

    Raises:
        UserError: for a corpus that can't be read, or a setting that can't be.
    """
    data = DataConfig(**config.data)
    text = encode_corpus(data)
    model = build(config.model.to_dict(), len(text.vocabulary))
    vectors = starting_vectors(config, text.vocabulary, text.train)
    scoring = {"mode": config.evaluation.mode, "num_streams": config.evaluation.num_streams}

    def init_params(key: Array) -> Any:
        params = model.init(key, jnp.zeros((1, 1), jnp.int32))["params"]
        return start_from(vectors, params)

    return Workload(
        task=LanguageModeling(
            model,
            config.training.reset_at_sentences,
            has_padding=data.random_length or data.batching == "sentence",
            usual_length=data.sequence_length if data.random_length else 0,
        ),
        init_params=init_params,
        carry=model.zero_carry(data.batch_size),
        batches=_batches(data, text.train, config.training.seed),
        vocabulary=text.vocabulary.to_json(),
        evaluate=lambda params: text.score(model, params, **scoring),
        criterion="nats_per_token",
        describe=describe,
        sample=lambda params, seed: text.sample(
            model, params, config.evaluation.sample_tokens, seed
        ),
        figures=lambda params: figures(model, params, text.validation),
        frozen=frozen_vectors(config, vectors),
        notes=(vectors.report,) if vectors else (),
        fingerprints=text.fingerprints,
        evaluate_ensemble=lambda parts: text.score(*mix_equally(model, parts), **scoring),
    )


def mix_equally(model: Any, parts: list[Any]) -> tuple[MixtureLM, dict[str, Any]]:
    """The ensemble of one model with several parameters, and its own."""
    weights = np.full(len(parts), 1 / len(parts), np.float32)
    return MixtureLM((model,) * len(parts)), {"weights": weights, "parts": parts}


def figures(model: Any, params: Any, tokens: np.ndarray) -> list[dict[str, Any]]:
    """What the report draws of a recurrent model: its gradient through time, on some text."""
    steps = min(_MOST_STEPS_BACK, len(tokens) - 1)
    if not isinstance(model, RecurrentLM) or steps < 1:
        return []
    return [gradient_figure(gradient_flow(model, params, cut_rows(tokens, steps)))]


def _batches(data: DataConfig, tokens: Any, seed: int) -> SeededBatches:
    if data.batching == "sentence":
        if data.random_length:
            raise UserError(
                "data.random_length is of streams; use --config.data.batching=stream, or "
                "--noconfig.data.random_length"
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
