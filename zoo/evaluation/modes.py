"""The two ways of scoring a text by a language model. Needs no JAX."""

from typing import Literal, get_args

# "stream": the state is carried over sentences; "sentence": it starts anew at each.
Mode = Literal["stream", "sentence"]
MODES: tuple[Mode, ...] = get_args(Mode)
