"""Prints the campaign's table when its session ends."""

import pytest
from campaign import tally


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Writes a row for each attack that was tried."""
    if tally.ROWS:
        terminalreporter.section("robustness campaign")
        for line in tally.table(tally.ROWS):
            terminalreporter.write_line(line)
