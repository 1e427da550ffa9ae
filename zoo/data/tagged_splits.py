"""The splits of a tagged corpus in one scheme, and notes on forbidden and unseen tags."""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

from zoo.data.config import AUTO, TaggedDataConfig
from zoo.data.examples import Tagged
from zoo.data.splits import SPLITS
from zoo.data.stored import Stored
from zoo.data.tag_schemes import (
    IOB1,
    IOB2,
    PLAIN,
    TagPair,
    convert,
    count_forbidden,
    count_pairs,
    find_scheme,
    is_bilou,
    split_tag,
)
from zoo.errors import Note, UserError

_MOST_NAMED = 5  # tags in a note


def in_scheme(
    splits: Mapping[str, Stored], config: TaggedDataConfig
) -> tuple[dict[str, Sequence[Tagged]], str]:
    """Returns the splits with their tags converted to the model's scheme, and this scheme.

    Args:
        splits: the three splits, with the tags of the files.
        config: the name of the corpus and the two schemes.

    Raises:
        UserError: a tag does not belong to the scheme of the files, or the tags are plain and the
            model's scheme is not.

    Warns:
        Note: see `load_tagged_corpus`.
    """
    pairs = {split: count_pairs(splits[split].column("tags")) for split in SPLITS}
    written = find_scheme(pairs["train"]) if config.file_scheme == AUTO else config.file_scheme
    target = config.scheme
    if target == AUTO:
        target = IOB2 if written == IOB1 else written
    if written == PLAIN != target:
        raise UserError(
            f"data.scheme is {target!r}, but the tags of corpus {config.corpus} mark no spans "
            f"({_some(pairs['train'])}); use data.scheme=plain"
        )
    is_broken = _warn_of_forbidden(pairs, written, config.corpus)
    _warn_of_unseen(pairs, written, config.corpus)
    converted: dict[str, Sequence[Tagged]] = dict(splits)
    is_other = target != PLAIN and any(map(is_bilou, pairs.values()))  # L and U become E and S
    if target not in (PLAIN, written) or is_broken or is_other:
        change = partial(_converted, source=written, target=target)
        converted = {split: sentences.map(change) for split, sentences in splits.items()}
    return converted, target


def _converted(sentence: Tagged, source: str, target: str) -> Tagged:
    return Tagged(sentence.tokens, tuple(convert(sentence.tags, source, target)))


def _warn_of_forbidden(
    pairs: Mapping[str, Mapping[TagPair, int]], scheme: str, corpus: str
) -> bool:
    """Warns of tags that a scheme forbids at their place, and returns whether there are any."""
    counts = {}
    for split in SPLITS:
        try:
            counts[split] = count_forbidden(pairs[split], scheme)
        except UserError as error:
            raise UserError(
                f"the {split} split of corpus {corpus} has a tag that does not fit its scheme: "
                f"{error}"
            ) from error
    total = sum(counts.values())
    if total:
        where = ", ".join(f"{split} {count:,}" for split, count in counts.items() if count)
        warnings.warn(
            f"{total:,} pairs of neighbouring tags of corpus {corpus} ({where}) are forbidden by "
            f"the scheme {scheme}, such as an I- without a B- before it; a span begins at each "
            "such tag, as the CoNLL script counts",
            Note,
            stacklevel=4,
        )
    return total > 0


def _warn_of_unseen(pairs: Mapping[str, Mapping[TagPair, int]], scheme: str, corpus: str) -> None:
    """Warns of labels of spans, or of plain tags, that the training split does not have."""
    counts = {split: _count_labels(pairs[split], scheme) for split in SPLITS}
    for split in SPLITS[1:]:
        unseen = sorted(counts[split].keys() - counts["train"].keys())
        if unseen:
            more = f" and {len(unseen) - _MOST_NAMED} more" if len(unseen) > _MOST_NAMED else ""
            total = sum(counts[split][name] for name in unseen)
            warnings.warn(
                f"{total:,} tags of split {split} of corpus {corpus} do not occur in training "
                f"({', '.join(unseen[:_MOST_NAMED])}{more}); a tagger never predicts them, so each "
                "counts as wrong",
                Note,
                stacklevel=4,
            )


def _count_labels(pairs: Mapping[TagPair, int], scheme: str) -> Counter[str]:
    """Returns the count of each label of spans, or of each tag if the tags are plain."""
    counts: Counter[str] = Counter()
    for (_, tag), count in pairs.items():
        if tag is not None:
            counts[tag if scheme == PLAIN else split_tag(tag)[1]] += count
    return counts


def _some(pairs: Mapping[TagPair, int]) -> str:
    names = sorted({tag for _, tag in pairs if tag is not None})
    return ", ".join(names[:_MOST_NAMED])
