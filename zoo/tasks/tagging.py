"""Tagging: give each word of a sentence its tag.

softmax:  loss = -(1/N) sum_b sum_t log softmax(e_bt)[y_bt]
crf:      loss = -(1/N) sum_b log p(y_b | x_b)         see zoo.layers.crf

Both are exact negative log-likelihoods of whole sentences, in nats per word.

Axes: B rows, T time, N words of a batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from zoo.data.config import TaggedDataConfig
from zoo.data.examples import Tagged
from zoo.data.fingerprints import of_tagged
from zoo.data.loading import load_tagged_corpus
from zoo.data.tag_schemes import OUTSIDE, check_scheme
from zoo.data.tagged_batching import TaggedBatch, TaggedBatches, encode_tags
from zoo.data.vocabulary import vocabulary_from_json
from zoo.diagnostics.tagging_figures import tagging_figures
from zoo.errors import UserError
from zoo.evaluation.tagger import TAGGER, Reader, TrainedTagger, predict
from zoo.evaluation.tagging import TaggingScores, score_tags
from zoo.layers.crf import log_likelihood
from zoo.layers.cross_entropy import token_losses
from zoo.layers.masks import real_steps
from zoo.models.output import Model
from zoo.models.registry import build
from zoo.models.tagger import Tagger, TaggerOutput
from zoo.tasks.encoded_tagged import (
    TaggedTexts,
    allowed_transitions,
    check_tags,
    encode_tagged_corpus,
    read_tagged_file,
)
from zoo.tasks.frozen_language_models import (
    FrozenModels,
    build_readers,
    load_frozen,
    readers_from_json,
)
from zoo.tasks.losses import mean_and_sums
from zoo.tasks.own_corpus import note_other_text, own_data_config
from zoo.tasks.settings import EvaluationConfig, TrainingConfig
from zoo.tasks.task import Loss, Objective, Request, Task, sections
from zoo.tasks.word_vectors import frozen_vectors, start_from, starting_vectors
from zoo.tasks.workload import Scores, Workload
from zoo.types import Json, Params, PyTree

Array = jax.Array


@dataclass(frozen=True)
class TaggerTraining(TrainingConfig):
    """The settings of the loop for a tagger.

    Attributes:
        freeze_word_vectors: whether embeddings from data.word_vectors stay fixed. Words without a
            vector are always trained.
    """

    freeze_word_vectors: bool = False


@dataclass(frozen=True)
class TaggerLoss(Objective):
    """The loss of a tagger.

    Attributes:
        model: a module that maps words, characters and lengths to a TaggerOutput.
    """

    model: Model

    def loss(self, params: Params, carry: PyTree, batch: TaggedBatch, key: Array) -> Loss:
        """Returns the mean loss in nats per word; see `Objective.loss`."""
        output: TaggerOutput = self.model.apply(
            {"params": params},
            batch.words,
            batch.characters,
            lengths=batch.lengths,
            features=batch.features,
            deterministic=False,
            rngs={"dropout": key},
        )
        lengths = jnp.asarray(batch.lengths)
        real = real_steps(output.scores, lengths)
        tags = jnp.where(real, batch.tags, 0)
        if output.transitions is None:
            total = jnp.where(real, token_losses(output.scores, tags), 0).sum()
        else:
            total = -log_likelihood(output.scores, output.transitions, tags, lengths).sum()
        return mean_and_sums(total, lengths.sum(), lengths.sum(), carry)


@dataclass(frozen=True, kw_only=True, eq=False)
class TaggerWorkload(Workload):
    """A tagger on its corpus.

    Attributes:
        trained: the tagger without parameters.
        validation: the validation split.
        language_models: the frozen language models that the tagger reads.
    """

    trained: TrainedTagger
    validation: Sequence[Tagged]
    language_models: FrozenModels

    def init_params(self, key: Array) -> PyTree:
        """Returns the parameters before training."""
        params = start_from(self.vectors, TAGGING.init(self.trained.model, key))
        return self.language_models.put_into(params)

    def evaluate(self, params: PyTree) -> Scores:
        """Returns the scores on the validation split."""
        return plain_scores(score(self.trained.with_params(params), self.validation))

    def describe(self, scores: Scores) -> str:
        """Returns a short description of scores."""
        return describe(scores)

    def sample(self, params: PyTree, seed: int) -> str:
        """Returns a validation sentence with the predicted tags of its words."""
        sentence = self.validation[seed % len(self.validation)]
        [found] = predict(self.trained.with_params(params), [sentence.tokens])
        return show_tags(sentence, [self.trained.tags[tag] for tag in found.tags])

    def figures(self, params: PyTree) -> list[Json]:
        """Returns the figures of the scores of each type and of the most frequent confusions."""
        return tagging_figures(score(self.trained.with_params(params), self.validation))


class Tagging(Task):
    """The task of tagging the words of sentences."""

    kind = TAGGER
    records = sections(TaggedDataConfig, TaggerTraining, EvaluationConfig)
    flags = frozenset({"text"})

    def open(self, config: Json, vocabulary: Json, progress: Json) -> TrainedTagger:
        """Returns a checkpoint without its parameters; see `Task.open`."""
        tags, scheme = tuple(map(str, vocabulary["tags"])), str(vocabulary["scheme"])
        if len(set(tags)) < len(tags):
            raise UserError("a tag occurs twice among the tags; take another checkpoint")
        check_tags(tags)
        check_scheme(scheme)
        words, spelled = vocabulary_from_json(vocabulary["words"]), vocabulary["characters"]
        characters = None if spelled is None else vocabulary_from_json(spelled)
        readers = readers_from_json(vocabulary.get("language_models", []))
        data = config.get("data", {})
        trained = TrainedTagger(
            model=None,
            vocabulary=words,
            config=config,
            progress=progress,
            characters=characters,
            tags=tags,
            scheme=scheme,
            num_trained_words=int(vocabulary["num_trained_words"]),
            lowercase=bool(data.get("lowercase", False)),
            corpus=str(data.get("corpus", "")),
            readers=readers,
        )
        return _with_model(trained, config["model"])

    def init(self, model: Tagger, key: Array) -> PyTree:
        """Returns a model's parameters before training."""
        words, lengths = jnp.zeros((1, 1), jnp.int32), jnp.ones(1, jnp.int32)
        characters = jnp.zeros((1, 1, model.config.max_characters), jnp.int32)
        return model.init(key, words, characters, lengths=lengths)["params"]

    def workload(self, config: ConfigDict) -> TaggerWorkload:
        """Returns a tagger on its corpus; see `Task.workload`."""
        data = TaggedDataConfig(**config.data)
        texts = encode_tagged_corpus(data)
        language_models = load_frozen(config.model.language_models)
        trained = _untrained(config, data, texts, language_models.readers)
        tokens = [sentence.tokens for sentence in texts.train]
        sentences = trained.encode(tokens)
        words = np.concatenate(list(sentences.words))
        vectors = starting_vectors(config, texts.vocabulary, words)
        return TaggerWorkload(
            trained=trained,
            fingerprints=texts.fingerprints,
            objective=TaggerLoss(trained.model),
            batches=TaggedBatches(
                sentences,
                encode_tags((sentence.tags for sentence in texts.train), texts.tags),
                trained.with_params(language_models.params).features(tokens),
                batch_size=data.batch_size,
                bucket_lengths=data.bucket_lengths,
                seed=config.training.seed,
            ),
            frozen=(frozen_vectors(config, vectors) or {}) | language_models.masks(),
            notes=(*texts.notes, *([vectors.report] if vectors else [])),
            validation=texts.validation,
            vectors=vectors,
            language_models=language_models,
        )

    def measure(self, checkpoint: TrainedTagger, request: Request) -> TaggingScores:
        """Returns the scores of a tagger on a split or a file; see `Task.measure`."""
        directory = "" if request.files else request.directory
        data = own_data_config(checkpoint, TaggedDataConfig, directory)
        if request.files:
            return score(checkpoint, read_tagged_file(request.files[0], data, checkpoint.scheme))
        corpus = load_tagged_corpus(data)
        sentences = corpus.splits[request.split]
        if corpus.scheme != checkpoint.scheme:
            raise UserError(
                f"the corpus that was found has the scheme {corpus.scheme}, but {checkpoint.name} "
                f"has {checkpoint.scheme}; give the corpus that it was trained on"
            )
        note_other_text(checkpoint, request.split, of_tagged(sentences))
        return score(checkpoint, sentences)


TAGGING = Tagging()


def _untrained(
    config: ConfigDict, data: TaggedDataConfig, texts: TaggedTexts, readers: tuple[Reader, ...]
) -> TrainedTagger:
    """Returns the tagger of a corpus without parameters."""
    trained = TrainedTagger(
        model=None,
        vocabulary=texts.vocabulary,
        characters=None if config.model.characters == "none" else texts.characters,
        tags=texts.tags,
        scheme=texts.scheme,
        num_trained_words=texts.num_trained_words,
        lowercase=data.lowercase,
        corpus=data.corpus,
        readers=readers,
    )
    return _with_model(trained, config.model.to_dict())


def _with_model(trained: TrainedTagger, settings: Json) -> TrainedTagger:
    """Returns a tagger with the model of a section `model`, for its vocabularies and tags."""
    characters = trained.characters
    model = build(
        settings,
        len(trained.vocabulary),
        num_tags=len(trained.tags),
        num_characters=0 if characters is None else len(characters),
        allowed=allowed_transitions(trained.tags, trained.scheme),
        language_models=build_readers(trained.readers),
    )
    return replace(trained, model=model)


def score(trained: TrainedTagger, sentences: Sequence[Tagged]) -> TaggingScores:
    """Returns the scores of a tagger on sentences."""
    words = [sentence.tokens for sentence in sentences]
    predicted = [[trained.tags[tag] for tag in found.tags] for found in predict(trained, words)]
    return score_tags(
        [sentence.tags for sentence in sentences],
        predicted,
        scheme=trained.scheme,
        words=words,
        training_words=trained.known_words(words),
    )


def plain_scores(scores: TaggingScores) -> Scores:
    """Returns the scores as numbers by name.

    Training minimises `error`: 1 - F1 of the spans, or 1 - accuracy of plain tags.
    """
    numbers = scores.numbers()
    return {"error": 1 - numbers.get("f1", scores.accuracy), **numbers}


def show_tags(sentence: Tagged, tags: Sequence[str]) -> str:
    """Returns a sentence with its tags; the right tag follows each wrong tag.

    Example:
        >>> show_tags(Tagged(("to", "Rome"), ("O", "B-loc")), ["O", "B-org"])
        'to Rome/B-org(B-loc)'
    """
    shown = []
    for token, right, tag in zip(sentence.tokens, sentence.tags, tags, strict=True):
        told = "" if tag == right == OUTSIDE else f"/{tag}"
        shown.append(token + told + ("" if tag == right else f"({right})"))
    return " ".join(shown)


def describe(scores: Scores) -> str:
    """Returns a short description of scores.

    Example:
        >>> describe({"accuracy": 0.9, "unknown_accuracy": 0.5, "f1": 0.4})
        'F1 0.4000, accuracy 0.9000 (unknown words 0.5000)'
        >>> describe({"accuracy": 0.9})
        'accuracy 0.9000 (no unknown words)'
    """
    spans = f"F1 {scores['f1']:.4f}, " if "f1" in scores else ""
    accuracy = scores.get("unknown_accuracy")
    unknown = "no unknown words" if accuracy is None else f"unknown words {accuracy:.4f}"
    return f"{spans}accuracy {scores['accuracy']:.4f} ({unknown})"
