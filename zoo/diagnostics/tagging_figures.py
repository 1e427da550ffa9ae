"""Figures of a tagger for the report as plain JSON; see `zoo.diagnostics.figures`."""

from zoo.diagnostics.figures import Figure
from zoo.evaluation.tagging import TaggingScores

_LONGEST_WORD = 30  # characters


def tagging_figures(scores: TaggingScores) -> list[Figure]:
    """Returns the scores of each type, the most frequent confusions, and the hardest words.

    Example:
        >>> from zoo.evaluation.tagging import score_tags
        >>> scores = score_tags([["D", "N"]], [["D", "D"]], scheme="plain", words=[["a", "net"]])
        >>> types, confusions, words = tagging_figures(scores)
        >>> types["rows"], types["values"][0]
        (['D', 'N'], [0.5, 1.0, 0.6666666666666666])
        >>> confusions["rows"], confusions["columns"], confusions["texts"]
        (['N'], ['D'], [['1']])
        >>> words["rows"], words["texts"]
        (['net: D for N'], [['1', '1']])
    """
    rows = [[row.precision, row.recall, row.f1] for row in scores.by_type]
    figures: list[Figure] = [
        {
            "kind": "heat_map",
            "title": "Scores of each type, in per cent",
            "rows": [row.label for row in scores.by_type],
            "columns": ["precision", "recall", "F1"],
            "values": rows,
            "texts": [[f"{100 * value:.0f}" for value in row] for row in rows],
        }
    ]
    if scores.confusions:
        figures += [_confusions(scores), _hardest_words(scores)]
    return figures if rows else figures[1:]


def _confusions(scores: TaggingScores) -> Figure:
    counts = {(row.gold, row.predicted): row.count for row in scores.confusions}
    gold = sorted({pair[0] for pair in counts})
    predicted = sorted({pair[1] for pair in counts})
    table = [[counts.get((row, column), 0) for column in predicted] for row in gold]
    most = max(counts.values())
    return {
        "kind": "heat_map",
        "title": "Most frequent confusions: the row is the true tag, the column the chosen one",
        "rows": gold,
        "columns": predicted,
        "values": [[count / most for count in row] for row in table],
        "texts": [[str(count) if count else "" for count in row] for row in table],
    }


def _hardest_words(scores: TaggingScores) -> Figure:
    words = scores.hardest_words
    return {
        "kind": "heat_map",
        "title": "Words with the most wrong tags, each with its most frequent mistake",
        "rows": [f"{row.word[:_LONGEST_WORD]}: {row.predicted} for {row.gold}" for row in words],
        "columns": ["wrong", "all"],
        "values": [[row.num_wrong / row.num_tokens, 0.0] for row in words],
        "texts": [[str(row.num_wrong), str(row.num_tokens)] for row in words],
    }
