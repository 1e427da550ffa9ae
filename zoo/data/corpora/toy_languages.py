"""Sentence pairs of our grammar with their true alignments; see `zoo.data.toy_german`."""

from collections.abc import Mapping, Sequence

from zoo.data.corpora import Pair, register_corpus
from zoo.errors import UserError


def _register(language: str, first: str, second: str) -> None:
    """Registers the pairs of two languages, in either direction."""
    name = f"toy_{language}"

    # Raise the version if the same grammar gives other pairs.
    @register_corpus(name, gives=Pair, origin="our grammar", version="1")
    def toy(*, source_language: str, target_language: str) -> Mapping[str, Sequence[Pair]]:
        from zoo.data.toy_german import generate_splits

        direction = (source_language, target_language)
        if direction not in ((first, second), (second, first)):
            raise UserError(
                f"corpus {name} is in {first} and {second}, not {' and '.join(direction)}; use "
                f"data.source_language={first} data.target_language={second}"
            )
        splits = generate_splits(language)
        if direction == (first, second):
            return splits
        return {split: list(map(_turned, pairs)) for split, pairs in splits.items()}


def _turned(pair: Pair) -> Pair:
    """Returns a pair with source and target exchanged."""
    alignment = tuple(sorted((target, source) for source, target in pair.alignment))
    return Pair(pair.target, pair.source, alignment)


_register("german", "de", "en")
_register("verb_final", "en", "sov")
_register("verb_initial", "en", "vso")
