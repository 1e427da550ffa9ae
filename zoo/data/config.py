"""The section `data` of a config: the fields that all tasks share, and the fields of each task."""

import dataclasses

from zoo.checks import check_least, check_sizes
from zoo.data.splits import STANDARD_FRACTIONS
from zoo.data.tag_schemes import SCHEMES
from zoo.errors import UserError

CUTS = ("end", "middle")
AUTO = "auto"  # a scheme that is found by looking at the tags
# The fields that name a place on the machine or depend on one, with the values that name none.
PLACES = {
    "directory": "",
    "cache_directory": "",
    "word_vectors": "",
    "keep_word_vectors": False,
}


@dataclasses.dataclass(frozen=True)
class SharedDataConfig:
    """The fields that the section `data` has for every task; each task sets its own defaults.

    Attributes:
        corpus: the name of a corpus that `zoo list` lists or that `zoo.register_corpus` made known,
            or "tfds:NAME" for a dataset that TFDS has prepared under `directory` in the
            array_record format.
        directory: the directory with the files of the corpus. For your own files, with a corpus
            such as text_file or conll_file, it may also name one file.
        cache_directory: the directory for prepared corpora. "" means the environment variable
            ZOO_CACHE, or ~/.cache/recurrent-zoo if the variable is not set.
        vocabulary: the kind of token: "character", "word" (separated by blanks), "lowercase_word"
            (words and punctuation marks in lower case) or "subword".
        vocabulary_size: the largest number of tokens, the three special tokens included; 0 means no
            limit.
        min_count: the smallest number of occurrences of a token; rarer tokens are unknown.
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
    """The text that a model learns from, and its tokens.

    Attributes:
        fractions: the fractions for training, validation and test if the text is one file.
    """

    corpus: str = "python_docs"
    vocabulary: str = "character"
    fractions: tuple[float, float, float] = STANDARD_FRACTIONS


@dataclasses.dataclass(frozen=True)
class DataConfig(TextConfig):
    """The text that a language model learns from, its tokens and its batches.

    Attributes:
        word_vectors: a file of pre-trained vectors (see `zoo.data.word_vectors`) that the
            embeddings start from; "" means a random start.
        batching: "stream" carries the state from sentence to sentence; "sentence" resets it.
        batch_size: the number of rows of a batch.
        sequence_length: the number of steps of a chunk of a stream.
        random_offset: whether the borders of chunks move in every epoch; sentences have no such
            borders.
        random_length: whether the length of each chunk is drawn around sequence_length, or, one in
            twenty, around half of it. The learning rate follows the length. Only for streams.
        bucket_lengths: the numbers of steps that batches of sentences are padded to.
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
        check_least(1, "data", self, "batch_size", "sequence_length")
        check_sizes("data.bucket_lengths", self.bucket_lengths)


@dataclasses.dataclass(frozen=True)
class DrawnDataConfig(SharedDataConfig):
    """The fields of the tasks that draw missing splits from the training split.

    Pairs with the same source come into one split. A labelled text or a tagged sentence that occurs
    several times may come into several; a note gives their number.

    Attributes:
        validation_fraction: the fraction of the training split that becomes the validation split if
            the corpus has no validation split.
        test_fraction: the fraction of the training split that becomes the test split if the corpus
            has no test split.
        max_tokens: the largest number of tokens of a text; 0 means no limit. A classifier reads
            only max_tokens tokens of a longer text. Longer sentence pairs and longer tagged
            sentences are left out of training.
        batch_size: the number of texts, pairs or sentences of a batch.
        bucket_lengths: the numbers of steps that batches are padded to.
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
        check_sizes("data.bucket_lengths", self.bucket_lengths)
        for name in ("validation_fraction", "test_fraction"):
            if not 0 < getattr(self, name) < 0.5:
                raise UserError(f"data.{name} is {getattr(self, name)}; use between 0 and 0.5")


@dataclasses.dataclass(frozen=True)
class LabeledDataConfig(DrawnDataConfig):
    """The texts that a classifier learns from, their tokens and batches.

    Attributes:
        text_column: the column of the text in a table_file or a TFDS dataset. Several names,
            separated by commas, join the texts of several columns.
        label_column: the column of the label.
        label_separator: the separator between the labels of a text in a table_file, such as ",";
            "" if each text has exactly one label.
        skip_unlabeled: whether rows of a table_file without a label are left out and counted in a
            note. By default such a row is an error, or a text without labels if label_separator is
            set. A null of JSON is always an error.
        word_vectors: a file of pre-trained vectors that the embeddings start from; "" means a
            random start.
        keep_word_vectors: whether all words of word_vectors enter the vocabulary, also those that
            occur in no training text. The model then knows them when it meets them later.
        cut: the part of a too long text that is dropped: "end" or "middle"; see max_tokens.
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
    """The tagged sentences that a tagger learns from, their words and batches.

    Attributes:
        vocabulary: "word", because the tokens of a tagged sentence are given.
        lowercase: whether words are looked up in the vocabulary in lower case. The characters that
            the model reads keep their case.
        word_column: the column of the word. In a conll_file it is a number: 1 is the first column,
            -1 the last; "" means the first. In a TFDS dataset it is the name of a feature; ""
            means tokens.
        tag_column: the column of the tag. In a conll_file it is a number, as in word_column; ""
            means the last. In a conllu_file it is "upos", "xpos" or the name of a feature, such as
            Number; "" means upos. In a TFDS dataset it is the name of a feature; "" means tags.
        file_scheme: the scheme of the spans in the files: "iob1", "iob2", "bioes", or "plain" for
            tags that mark no spans; "auto" finds the scheme from the tags.
        scheme: the scheme that the model learns; tags are converted to it. "auto" means the scheme
            of the files, but iob2 if the files have iob1.
        word_vectors: a file of pre-trained vectors that the embeddings start from; "" means a
            random start.
        keep_word_vectors: whether all words of word_vectors enter the vocabulary, also those that
            occur in no training sentence. The model then knows them when it meets them later.
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
                "data.keep_word_vectors is set without a file; use data.word_vectors=FILE"
            )


@dataclasses.dataclass(frozen=True)
class ParallelDataConfig(DrawnDataConfig):
    """The sentence pairs that a translator learns from, their tokens and batches.

    Attributes:
        source_language: the language to translate from, as files and datasets call it. The toy
            corpora have the pairs "de" and "en", "en" and "vso" (verb-initial), and "en" and "sov"
            (verb-final).
        target_language: the language to translate to.
        share_vocabulary: whether both languages share one vocabulary of vocabulary_size tokens.
        lowercase: whether all texts are converted to lower case.
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
