"""Language modelling: predict each next token of a text.

loss = -(1/N) sum_n log p(target_n | tokens before it)     nats per token, over N real tokens
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from zoo.data.batching import Batch, Batches, SentenceBatches, StreamBatches
from zoo.data.corpora import DataConfig, load_corpus
from zoo.data.vocabulary import START_ID, Vocabulary, build_vocabulary, encode_lines
from zoo.decoding.generation import generate
from zoo.errors import UserError
from zoo.evaluation.perplexity import score_tokens
from zoo.layers.cross_entropy import token_losses
from zoo.models.registry import build
from zoo.tasks.workload import Workload

Array = jax.Array


@dataclass(frozen=True)
class LanguageModeling:
    """The task of a language model.

    Attributes:
        model: a module that maps tokens and a carry to an LMOutput.
        reset_at_sentences: put the state back to the initial one at every `<s>`; otherwise it is
            carried over sentences.
    """

    model: nn.Module
    reset_at_sentences: bool = False

    def loss(
        self, params: Any, carry: Any, batch: Batch, key: Array
    ) -> tuple[Array, tuple[Any, dict[str, Array]]]:
        """Mean loss in nats per real token, the next carry, and the sums behind the mean.

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
            deterministic=False,
            rngs={"dropout": key},
        )
        real = jnp.arange(batch.targets.shape[1])[None, :] < batch.lengths[:, None]
        total = jnp.where(real, token_losses(output.logits, jnp.asarray(batch.targets)), 0).sum()
        count = batch.lengths.sum().astype(total.dtype)
        metrics = {"loss_nats": total, "num_tokens": count}
        return total / count, (output.carry, metrics)


def build_workload(config: ConfigDict) -> Workload:
    """A language model on its corpus.

    Args:
        config: a run's config.

    Raises:
        UserError: for a corpus that can't be read, or a setting that can't be.
    """
    data = DataConfig(**config.data)
    lines = load_corpus(data)
    vocabulary = build_vocabulary(
        data.vocabulary, lines["train"], max_size=data.vocabulary_size, min_count=data.min_count
    )
    model = build(config.model.to_dict(), len(vocabulary))
    validation = encode_lines(vocabulary, lines["validation"])
    num_characters = sum(len(line) + 1 for line in lines["validation"])

    def evaluate(params: Any) -> dict[str, float]:
        score = score_tokens(
            model,
            params,
            validation,
            num_characters=num_characters,
            mode=config.evaluation.mode,
            num_streams=config.evaluation.num_streams,
        )
        return {
            "nats_per_token": score.nats_per_token,
            "perplexity": score.perplexity,
            "bits_per_character": score.bits_per_character,
        }

    return Workload(
        task=LanguageModeling(model, config.training.reset_at_sentences),
        init_params=lambda key: model.init(key, jnp.zeros((1, 1), jnp.int32))["params"],
        carry=model.zero_carry(data.batch_size),
        batches=_batches(data, encode_lines(vocabulary, lines["train"]), config.training.seed),
        vocabulary=vocabulary.to_json(),
        evaluate=evaluate,
        criterion="nats_per_token",
        describe=_describe,
        sample=lambda params, seed: _sample(
            _Trained(model, params, vocabulary), config.evaluation.sample_tokens, seed
        ),
    )


class _Trained(NamedTuple):
    """What generation needs of a model that is not yet a checkpoint."""

    model: nn.Module
    params: Any
    vocabulary: Vocabulary


def _sample(trained: _Trained, max_tokens: int, seed: int) -> str:
    if not max_tokens:
        return ""
    return generate(trained, max_tokens=max_tokens, seed=seed, stop="length")


def _batches(data: DataConfig, tokens: Any, seed: int) -> Batches:
    if data.batching == "sentence":
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
    )


def _describe(scores: dict[str, float]) -> str:
    return (
        f"perplexity {scores['perplexity']:.2f}, "
        f"{scores['bits_per_character']:.4f} bits per character"
    )
