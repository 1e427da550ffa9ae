"""Tagged sentences with one token and its tag per line, and a blank line after each sentence."""

from collections.abc import Callable, Iterable, Iterator

from zoo.data.examples import Tagged

MOST_WORDS = 1000  # the longest sentence; in a longer one the blank lines are missing


def read_sentences(
    lines: Iterable[str], read: Callable[[str], tuple[str, str] | None]
) -> Iterator[Tagged]:
    """Yields the sentences of a file's lines.

    Args:
        lines: all lines of the file, blank lines included, without newlines.
        read: a function that returns the token and the tag of a line, or None if the line has no
            token.

    Raises:
        ValueError: a sentence is too long, there is no sentence, or `read` raises it.

    Example:
        >>> list(read_sentences(["a DT", "dog NN", "", "", "go VB"], lambda line: line.split()))
        [Tagged(tokens=('a', 'dog'), tags=('DT', 'NN')), Tagged(tokens=('go',), tags=('VB',))]
    """
    sentence: list[tuple[str, str]] = []
    is_empty = True
    for line in lines:
        found = read(line) if line.strip() else None
        if found:
            sentence.append(found)
            is_empty = False
        elif sentence and not line.strip():
            yield _tagged(sentence)
            sentence = []
        if len(sentence) > MOST_WORDS:
            raise ValueError(
                f"here a sentence has more than {MOST_WORDS:,} words; put a blank line between "
                "sentences"
            )
    if sentence:
        yield _tagged(sentence)
    if is_empty:
        raise ValueError("it has no sentences; put a word and its tag into each line")


def _tagged(sentence: list[tuple[str, str]]) -> Tagged:
    tokens, tags = zip(*sentence, strict=True)
    return Tagged(tokens, tags)
