"""Cards: the origin and the scores of a released checkpoint, for people and programs.

card.json has the fields of `Card`. card.md is the same text for people, made by `render`. A score
has the flags of `python -m zoo evaluate` that measure it. So anyone can measure it again, as
`python -m zoo verify` does.
"""

import dataclasses
import json
import os
import re
import sys

from etils import epath

from zoo.errors import WRONG_FORM, UserError

JSON, MARKDOWN = "card.json", "card.md"
_STORED = {
    "float32": "",
    "half": ", stored in 16 bits per weight, computed in float32",
    "int8": ", stored in 8 bits per weight with a scale for each row, computed in float32",
    "int6": ", stored in 6 bits per weight with a scale for each row, computed in float32",
}

_LARGEST = 1e300
# The flags of `python -m zoo evaluate` that a card may have. They choose the measurement, and the
# command reads and writes nothing else.
_NUMBER = r"[0-9]+(\.[0-9]+)?(e-?[0-9]+)?"
_FLAGS = re.compile(
    r"--(split=(train|validation|test)|mode=(stream|sentence)|beam_size=[0-9]{1,3}"
    r"|dynamic(=(rms|sgd))?|dynamic_window=[0-9]{1,4}|cache=[0-9]{1,6}"
    rf"|(dynamic_(rate|decay)|cache_(weight|flatness))={_NUMBER})"
)


@dataclasses.dataclass(frozen=True)
class StatedScore:
    """A score that a card states.

    Attributes:
        measure: the name of the score in the output of `python -m zoo evaluate --json`.
        flags: the flags of this command, such as "--split=test --mode=sentence".
        value: the score.
        spread: the largest difference of a repeated measurement, rounding included.
    """

    measure: str
    flags: str
    value: float
    spread: float


@dataclasses.dataclass(frozen=True)
class Card:
    """The content of a card.

    Attributes:
        title: a description of the model in a few words.
        what: a description of the model in a sentence or two.
        equations: the files with the equations.
        corpus: the corpus that the model was trained on.
        licence: the licence of the corpus.
        command: the complete command of the training.
        commit: the commit of this repository before the release.
        seed: the seed of the training.
        hardware: the hardware of the training.
        minutes: the duration of the training.
        scores: the scores of the model.
        limits: the uses that the model is not good for.
        python: the version of Python, such as "3.11", whose manual the scores were measured on; ""
            if the corpus is the same everywhere.
        needs_directory: whether the corpus lies in a directory of the user.
    """

    title: str
    what: str
    equations: tuple[str, ...]
    corpus: str
    licence: str
    command: str
    commit: str
    seed: int
    hardware: str
    minutes: float
    scores: tuple[StatedScore, ...]
    limits: str
    python: str = ""
    needs_directory: bool = False

    @property
    def is_of_this_python(self) -> bool:
        """Whether this version of Python has the text of the scores."""
        return self.python in ("", f"{sys.version_info.major}.{sys.version_info.minor}")


def read_card(path: epath.PathLike) -> Card:
    """Reads a card.json.

    Raises:
        UserError: the file is missing, is not JSON, or lacks a field.

    Example:
        >>> read_card("nowhere/card.json")
        Traceback (most recent call last):
            ...
        zoo.errors.UserError: cannot read nowhere/card.json: No such file or directory
    """
    try:
        if os.path.exists(path) and not os.path.isfile(path):  # reading a device might never end
            raise UserError(f"cannot read {path}: it is no regular file")
        record = json.loads(epath.Path(path).read_text())
        scores = tuple(StatedScore(**score) for score in record.pop("scores"))
        equations = tuple(record.pop("equations"))
        card = Card(**record, scores=scores, equations=equations)
    except UserError:
        raise
    except (OSError, ImportError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot read {path}: {reason}") from error
    except WRONG_FORM as error:
        raise UserError(
            f"{path} is no card: {str(error)[:200]}; a card has the fields of zoo.cards.Card"
        ) from error
    _check(card, path)
    return card


def _check(card: Card, path: epath.PathLike) -> None:
    """Raises a UserError if a field has the wrong type."""
    for field in dataclasses.fields(Card):
        value = getattr(card, field.name)
        kinds = (int, float) if field.type in ("float", float) else field.type
        if isinstance(kinds, type | tuple) and not isinstance(value, kinds):
            raise UserError(f"{path}: {field.name} is {str(value)[:80]!r}, of the wrong type")
    if not -_LARGEST < card.minutes < _LARGEST:
        raise UserError(f"{path}: minutes is no number of minutes; give the training's duration")
    for score in card.scores:
        _check_score(score, path)


def _check_score(score: StatedScore, path: epath.PathLike) -> None:
    """Raises a UserError for a score that cannot be measured or has other flags."""
    if not (isinstance(score.measure, str) and isinstance(score.flags, str)):
        raise UserError(f"{path}: a score has a measure or flags that are no text; use texts")
    for flag in score.flags.split():
        if not _FLAGS.fullmatch(flag):
            raise UserError(
                f"{path}: score {score.measure[:80]} asks for {flag[:80]!r}; a card may ask for "
                "--split, --mode, --beam_size, --dynamic and --cache with their settings"
            )
    for number in (score.value, score.spread):
        if not isinstance(number, int | float) or not -_LARGEST < number < _LARGEST:
            raise UserError(f"{path}: score {score.measure[:80]} has no number and spread")
    if score.spread < 0:
        raise UserError(f"{path}: score {score.measure[:80]} has a spread below 0; use 0 or more")


@dataclasses.dataclass(frozen=True)
class Stored:
    """The form in which a checkpoint keeps its parameters.

    Attributes:
        num_parameters: the number of parameters of the model.
        num_bytes: the size of the checkpoint's files.
        precision: one of `zoo.training.compact.PRECISIONS`.
    """

    num_parameters: int
    num_bytes: int
    precision: str

    def __str__(self) -> str:
        size = f"{self.num_parameters:,} parameters, {self.num_bytes / 1e6:.1f} MB"
        return f"{size}{_STORED[self.precision]}."


def write_card(directory: epath.Path, card: Card, stored: Stored) -> None:
    """Writes a card into the directory of a checkpoint, for programs and for people."""
    record = json.dumps(dataclasses.asdict(card), indent=1, ensure_ascii=False)
    (directory / JSON).write_text(record + "\n")
    (directory / MARKDOWN).write_text(render(card, stored))


def render(card: Card, stored: Stored) -> str:
    """Returns the card as Markdown."""
    rows = [
        f"| {score.measure.replace('_', ' ')} | `{score.flags}` | {score.value:g} | "
        f"{score.spread:g} |"
        for score in card.scores
    ]
    version = f" The scores are of Python {card.python}'s text." if card.python else ""
    directory = " --data_directory=DIR" if card.needs_directory else ""
    return "\n".join(
        [
            f"# {card.title}",
            "",
            f"{card.what} {stored} Equations: {', '.join(f'`{name}`' for name in card.equations)}.",
            "",
            f"* Corpus: {card.corpus}{version} Licence: {card.licence}",
            f"* Command: `{card.command}`, seed {card.seed}, commit {card.commit}, "
            f"{card.minutes:g} {'minute' if card.minutes == 1 else 'minutes'} on {card.hardware}.",
            f"* Limits: {card.limits}",
            "",
            f"Scores, measured by `python -m zoo evaluate NAME{directory}` and the flags:",
            "",
            "| score | flags | value | spread |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )
