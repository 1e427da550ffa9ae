"""How a name becomes a trained model, for the rooms that use one and stand below `zoo.load`.

`zoo/__init__.py` puts the function here, so that no room imports what is above it.
"""

from collections.abc import Callable
from typing import Any

load: Callable[[Any], Any]
