"""The two modes in which a language model can score a text. This file needs no JAX."""

from typing import Literal, get_args

# "stream" carries the state over sentences; "sentence" resets it at each sentence.
Mode = Literal["stream", "sentence"]
MODES: tuple[Mode, ...] = get_args(Mode)
