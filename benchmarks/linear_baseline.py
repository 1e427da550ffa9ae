"""A linear support vector machine over TF-IDF of words and word pairs, on a user's table.

    python benchmarks/linear_baseline.py --directory=DIR_OR_FILE [--test]

It uses the same splits of the table as `configs/csv_classifier.py`. The strength of regularisation
and the use of word pairs are chosen on the validation split. --test scores the test split once with
that choice. Needs the extra benchmarks (scikit-learn).
"""

import argparse
import itertools
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from zoo.data.config import LabeledDataConfig
from zoo.data.loading import LabeledTexts, load_labeled_corpus

STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0)  # C: the cost of a misclassified text
MOST_WORDS = (1, 2)  # the largest number of words in a feature


class Found(NamedTuple):
    """The chosen settings, and their accuracy.

    Attributes:
        validation: accuracy on the validation split.
        test: accuracy on the test split; None if it was not asked for.
        strength: C.
        most_words: the number of words in the longest feature.
    """

    validation: float
    test: float | None
    strength: float
    most_words: int


def labels_of(texts: LabeledTexts) -> list[str]:
    """Returns the label of each text."""
    return [label for (label,) in texts.labels]


def measure(data: LabeledDataConfig, *, score_test: bool) -> Found:
    """Trains one model for each choice, and evaluates the best on validation.

    Args:
        data: a table of texts with one label each.
        score_test: whether to score the test split too.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    splits = load_labeled_corpus(data).splits
    best, chosen = Found(-1.0, None, 0.0, 0), None
    for most_words, strength in itertools.product(MOST_WORDS, STRENGTHS):
        words = TfidfVectorizer(
            ngram_range=(1, most_words),
            sublinear_tf=True,
            token_pattern=r"(?u)\b\w+\b|[^\w\s]",
        )
        pipeline = make_pipeline(words, LinearSVC(C=strength))
        pipeline.fit(list(splits["train"].texts), labels_of(splits["train"]))
        score = _accuracy(pipeline, splits["validation"])
        if score > best.validation:
            best, chosen = Found(score, None, strength, most_words), pipeline
    return best._replace(test=_accuracy(chosen, splits["test"])) if score_test else best


def _accuracy(pipeline: Any, texts: LabeledTexts) -> float:
    return float(pipeline.score(list(texts.texts), labels_of(texts)))


def main() -> None:
    """Prints the results as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--directory", required=True, help="the table, or a directory of splits")
    parser.add_argument("--text_column", default="text", help="the column of the text")
    parser.add_argument("--label_column", default="label", help="the column of the label")
    parser.add_argument("--test", action="store_true", help="score the test split too")
    arguments = parser.parse_args()
    data = LabeledDataConfig(
        corpus="table_file",
        directory=arguments.directory,
        text_column=arguments.text_column,
        label_column=arguments.label_column,
    )
    print(json.dumps(measure(data, score_test=arguments.test)._asdict()))


if __name__ == "__main__":
    main()
