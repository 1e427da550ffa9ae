"""Parts of Shakespeare's plays, 1.1 million characters, downloaded unless the file is given."""

from collections.abc import Iterator

from zoo.data.corpora import Lines, register_corpus

_URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"


@register_corpus(
    "tiny_shakespeare",
    files={"whole": "input.txt"},
    origin="data/tinyshakespeare of A. Karpathy's char-rnn",
    keep_blank=True,
    url=_URL,
    sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
)
def tiny_shakespeare(lines: Lines) -> Iterator[str]:
    """Yields the lines as they are."""
    yield from lines
