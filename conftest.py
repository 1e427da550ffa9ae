"""Each test and each example of a docstring begins with the zoo's own cells and corpora."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def only_ours() -> Iterator[None]:
    """Cells and corpora that a test registers are forgotten after it."""
    from zoo.data import corpora  # not above: JAX reads the settings of tests/conftest.py first
    from zoo.layers import cells

    corpora.list_corpora()  # it imports ours
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpora, "_CORPORA", dict(corpora._CORPORA))
        patch.setattr(cells, "_CELLS", dict(cells._CELLS))
        yield
