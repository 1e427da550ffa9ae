"""Counts what the robustness campaign tried and what failed, and holds its seed and its size.

    CAMPAIGN_SEED=7 CAMPAIGN_TRIALS=3 CAMPAIGN_TABLE=table.jsonl \\
        python -m pytest -m slow tests/campaign

CAMPAIGN_SEED (0) chooses every random number. CAMPAIGN_TRIALS (1) multiplies the number of trials.
CAMPAIGN_TABLE names a file to which each attack appends one JSON line. The table of all attacks is
printed when the session ends, unless pytest-xdist spreads the tests over processes.

Example:
    >>> with Attack("an example", record=False) as attack:
    ...     attack.tried()
    ...     attack.row()
    {'attack': 'an example', 'tried': 1, 'tracebacks': 0, 'unnoticed': 0, 'lost': 0}
"""

import json
import os
import random
from pathlib import Path
from types import TracebackType
from typing import Any, Self

SEED = int(os.environ.get("CAMPAIGN_SEED", "0"))
# A traceback, or the last net's line that asks for a report; damage that nobody told of and that
# changed a result; sound work that could not be used any more.
KINDS = ("tracebacks", "unnoticed", "lost")
_SHOWN = 20
ROWS: list[dict[str, Any]] = []


def trials(usual: int) -> int:
    """Returns how often to try something: the usual number times CAMPAIGN_TRIALS, at least once."""
    return max(1, round(usual * float(os.environ.get("CAMPAIGN_TRIALS", "1"))))


def draw(name: str) -> random.Random:
    """Returns the random numbers of one attack, which depend on CAMPAIGN_SEED and its name."""
    return random.Random(f"{SEED} {name}")


class Attack:
    """One kind of attack; leaving it records its row, and raises AssertionError if any try failed.

    Args:
        name: what the table calls it.
        record: whether the row goes into the table.
    """

    def __init__(self, name: str, *, record: bool = True):
        self.name, self._record = name, record
        self._tried, self._failures = 0, dict[str, list[str]]({kind: [] for kind in KINDS})

    def tried(self, number: int = 1) -> None:
        """Counts tries."""
        self._tried += number

    def failed(self, kind: str, what: str) -> None:
        """Counts one failure; `kind` is one of KINDS, `what` says how to repeat it."""
        self._failures[kind].append(what)

    def row(self) -> dict[str, Any]:
        """Returns this attack's row of the table."""
        counts = {kind: len(found) for kind, found in self._failures.items()}
        return {"attack": self.name, "tried": self._tried, **counts}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._record:
            _append(self.row())
        if error is None:
            told = [f"{kind}: {what}" for kind, found in self._failures.items() for what in found]
            assert not told, f"{len(told)} failures (seed {SEED}):\n" + "\n".join(told[:_SHOWN])


def _append(row: dict[str, Any]) -> None:
    ROWS.append(row)
    if file := os.environ.get("CAMPAIGN_TABLE"):
        with Path(file).open("a", encoding="utf-8") as table:
            table.write(json.dumps(row) + "\n")


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Returns the lines of a table of rows.

    Example:
        >>> row = {"attack": "bits", "tried": 3, "tracebacks": 0, "unnoticed": 1, "lost": 0}
        >>> for line in table([row]):
        ...     print(line)
        | attack | tried | tracebacks | unnoticed | lost |
        |---|---|---|---|---|
        | bits | 3 | 0 | 1 | 0 |
    """
    columns = ("attack", "tried", *KINDS)
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    return lines + [f"| {' | '.join(str(row[name]) for name in columns)} |" for row in rows]
