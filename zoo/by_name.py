"""The function that loads a trained model by name, for packages below `zoo.hub`.

`zoo/__init__.py` sets the function, so that no package imports a package above it.
"""

from collections.abc import Callable
from typing import Any

load: Callable[[Any], Any]
