"""The section `data` of a config: what all corpora share, and what each task adds."""

import dataclasses

from zoo.checks import check_least
from zoo.data.splits import STANDARD_FRACTIONS
from zoo.data.tag_schemes import SCHEMES
from zoo.errors import UserError

CUTS = ("end", "middle")
AUTO = "auto"  # a scheme that is found by looking at the tags


@dataclasses.dataclass(frozen=True)
class SharedDataConfig:
    """The fields that the section `data` has for every task; each task sets its own defaults.

    Attributes:
        corpus: the name of a corpus that `zoo list` lists or that `zoo.register_corpus` made known,
            or "tfds:NAME" for a dataset that TFDS has prepared under `directory` in the
            array_record format.
        directory: the directory with the corpus' files; for text_file, table_file and
            parallel_text also one file.
        cache_directory: where prepared corpora are kept; "" is the environment variable ZOO_CACHE,
            or else ~/.cache/recurrent-zoo.
        vocabulary: kind of token: "character", "word", "lowercase_word" (of text as people write
            it) or "subword".
        vocabulary_size: number of tokens, the three special ones included; 0 means no limit.
        min_count: tokens that occur less often are left out of the vocabulary.
    """

    corpus: str = ""
    directory: str = ""
    cache_directory: str = ""
    vocabulary: str = "word"
    vocabulary_size: int = 0
    min_count: int = 1

    def __post_init__(self) -> None:
        self._check_limits("vocabulary_size")
        check_least(1, "data", self, "min_count")

    def _check_limits(self, *names: str) -> None:
        for name in names:
            if getattr(self, name) < 0:
                raise UserError(
                    f"data.{name} is {getattr(self, name)}; use 0 for no limit, or more"
                )


@dataclasses.dataclass(frozen=True)
class TextConfig(SharedDataConfig):
    """Which text a model learns from, and in which tokens.

    Attributes:
        fractions: parts for training, validation and test of a text that is one file.
    """

    corpus: str = "python_docs"
    vocabulary: str = "character"
    fractions: tuple[float, float, float] = STANDARD_FRACTIONS


@dataclasses.dataclass(frozen=True)
class DataConfig(TextConfig):
    """Which text a language model learns from step by step, in which tokens and batches.

    Attributes:
        word_vectors: a file of pre-trained vectors (see `zoo.data.word_vectors`) that the
            embeddings start from; "" for none.
        batching: "stream" (the state is carried over sentences) or "sentence" (the state is reset).
        batch_size: rows of a batch.
        sequence_length: steps of a stream's chunk.
        random_offset: move the borders of a stream's chunks in every epoch.
        random_length: draw the length of each of a stream's chunks around sequence_length, and now
            and then around half of it; the learning rate follows the length.
        bucket_lengths: numbers of steps that batches of sentences are padded to.
    """

    word_vectors: str = ""
    batching: str = "stream"
    batch_size: int = 64
    sequence_length: int = 128
    random_offset: bool = False
    random_length: bool = False
    bucket_lengths: tuple[int, ...] = (16, 32, 64, 128)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(1, "data", self, "batch_size")


@dataclasses.dataclass(frozen=True)
class DrawnDataConfig(SharedDataConfig):
    """The fields of corpora whose missing splits are drawn from the training split.

    Attributes:
        validation_fraction: the part of the training split that becomes the validation split, if
            the corpus has none.
        test_fraction: the same for the test split.
        max_tokens: the largest number of tokens of a text; 0 means no limit. Of a longer text a
            classifier reads so many tokens; a longer pair or tagged sentence is left out of
            training.
        batch_size: texts, pairs or sentences of a batch.
        bucket_lengths: numbers of steps that batches are padded to.
    """

    validation_fraction: float = 0.1
    test_fraction: float = 0.1
    max_tokens: int = 0
    batch_size: int = 32
    bucket_lengths: tuple[int, ...] = (8, 16, 32, 64, 128, 256, 512)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_limits("max_tokens")
        check_least(1, "data", self, "batch_size")
        for name in ("validation_fraction", "test_fraction"):
            if not 0 < getattr(self, name) < 0.5:
                raise UserError(f"data.{name} is {getattr(self, name)}; use between 0 and 0.5")


@dataclasses.dataclass(frozen=True)
class LabeledDataConfig(DrawnDataConfig):
    """Which texts a classifier learns from, in which tokens and batches.

    Attributes:
        text_column: the column of the text in a table_file or a TFDS dataset; several columns,
            with commas between their names, are joined.
        label_column: the column of the label.
        label_separator: what stands between the labels of a text in a table_file; "" if each text
            has exactly one label.
        skip_unlabeled: leave out the rows of a table_file that have no label, and count them in a
            note. Otherwise such a row is an error, or with a label_separator a text without labels.
        word_vectors: a file of pre-trained vectors that the embeddings start from; "" for none.
        keep_word_vectors: take the words of word_vectors that no training text has into the
            vocabulary, so that their meaning is known where they are met later.
        cut: which part of a text with more than max_tokens tokens is dropped: its "end" or its
            "middle".
    """

    corpus: str = "python_docs_topics"
    vocabulary: str = "lowercase_word"
    text_column: str = "text"
    label_column: str = "label"
    label_separator: str = ""
    skip_unlabeled: bool = False
    word_vectors: str = ""
    keep_word_vectors: bool = False
    cut: str = "end"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cut not in CUTS:
            raise UserError(f"data.cut is {self.cut!r}; use {' or '.join(CUTS)}")
        if self.keep_word_vectors and (not self.word_vectors or self.vocabulary == "subword"):
            raise UserError(
                f"data.keep_word_vectors is set with word_vectors {self.word_vectors!r} and "
                f"vocabulary {self.vocabulary!r}; use data.word_vectors=FILE and words"
            )


@dataclasses.dataclass(frozen=True)
class TaggedDataConfig(DrawnDataConfig):
    """Which tagged sentences a tagger learns from, in which words and batches.

    Attributes:
        vocabulary: "word", because the tokens of a tagged sentence are given.
        lowercase: look words up in the vocabulary in lower case; their characters keep their case.
        word_column: the column of the word in a conll_file: its number, from 1, or counted from the
            end, from -1; "" is the first. Of a TFDS dataset the name of the feature; "" is tokens.
        tag_column: the column of the tag, in a conll_file as word_column; "" is the last. In a
            conllu_file "upos", "xpos" or the name of a feature, such as Number; "" is upos. Of a
            TFDS dataset the name of the feature; "" is tags.
        file_scheme: the scheme that the files write spans in: "iob1", "iob2", "bioes", or "plain"
            for tags that mark no spans; "auto" looks at the tags.
        scheme: the scheme that the model learns, which tags are converted to; "auto" is that of the
            files, and iob2 instead of iob1.
        word_vectors: a file of pre-trained vectors that the embeddings start from; "" for none.
        keep_word_vectors: take the words of word_vectors that no training sentence has into the
            vocabulary, so that their meaning is known where they are met later.
    """

    corpus: str = "python_source_roles"
    vocabulary: str = "word"
    bucket_lengths: tuple[int, ...] = (8, 16, 24, 32, 48, 64, 128)
    lowercase: bool = False
    word_column: str = ""
    tag_column: str = ""
    file_scheme: str = AUTO
    scheme: str = AUTO
    word_vectors: str = ""
    keep_word_vectors: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.vocabulary != "word":
            raise UserError(
                f"data.vocabulary is {self.vocabulary!r}, but the tokens of tagged sentences are "
                'given; use "word", and data.lowercase=true for words in lower case'
            )
        for name in ("file_scheme", "scheme"):
            if getattr(self, name) not in (AUTO, *SCHEMES):
                raise UserError(
                    f"data.{name} is {getattr(self, name)!r}; use one of {AUTO}, "
                    f"{', '.join(SCHEMES)}"
                )
        if self.keep_word_vectors and not self.word_vectors:
            raise UserError(
                "data.keep_word_vectors is set but there are none; use data.word_vectors=FILE"
            )


@dataclasses.dataclass(frozen=True)
class ParallelDataConfig(DrawnDataConfig):
    """Which sentence pairs a translator learns from, in which tokens and batches.

    Attributes:
        source_language: the language to translate from, as files and datasets call it; of a toy
            corpus "de" or "en", with "vso" (verb-initial) or "sov" (verb-final) beside "en".
        target_language: the language to translate to.
        share_vocabulary: use one vocabulary, of vocabulary_size tokens, for both sides.
        lowercase: make all texts lower-case.
    """

    corpus: str = "toy_german"
    batch_size: int = 64
    bucket_lengths: tuple[int, ...] = (8, 16, 24, 32, 48, 64, 128)
    validation_fraction: float = 0.05
    test_fraction: float = 0.05
    source_language: str = "de"
    target_language: str = "en"
    share_vocabulary: bool = False
    lowercase: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.source_language == self.target_language:
            raise UserError(
                f"data.source_language and data.target_language are {self.source_language!r}; "
                "use two languages, such as de and en"
            )
