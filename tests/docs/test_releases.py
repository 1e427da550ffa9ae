"""A release has one version in all places, and the changelog tells of it."""

import re
import tomllib

from tiny_run import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_the_version_is_one() -> None:
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {PROJECT['version']}\n" in citation
    assert f"\nlicense: {PROJECT['license']}\n" in citation
    assert re.findall(r"^  - name: (.*)$", citation, re.MULTILINE) == ["The Recurrent Zoo authors"]


def test_the_changelog_has_the_version_and_what_is_to_come() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"\n## {PROJECT['version']}\n" in changelog
    assert "\n## Unreleased\n" in changelog
