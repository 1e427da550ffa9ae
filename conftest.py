"""What a test or a docstring's example registers is forgotten after it."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def only_ours() -> Iterator[None]:
    """The zoo's own cells and corpora are the registered ones whenever a test begins."""
    from zoo.data import corpora  # not above: JAX reads the settings of tests/conftest.py first
    from zoo.layers import cells

    corpora.list_corpora()  # it imports ours
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpora, "_CORPORA", dict(corpora._CORPORA))
        patch.setattr(cells, "_CELLS", dict(cells._CELLS))
        yield
