"""Recurrent cells by name. Each file has a family; docs/add_a_cell.md shows how to write a cell.

Example:
    >>> make_cell("lstm", size=4).num_gates
    4
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax

from zoo.errors import UserError
from zoo.layers.cells.base import Cell
from zoo.layers.cells.delta import DeltaNet, GatedDeltaNet
from zoo.layers.cells.diagonal import LRU, S4D, S5
from zoo.layers.cells.elman import Elman
from zoo.layers.cells.gru import GRU
from zoo.layers.cells.linear import RGLRU, MinGRU, MinLSTM
from zoo.layers.cells.lstm import LSTM, PeepholeLSTM
from zoo.layers.cells.mogrifier import Mogrifier
from zoo.layers.cells.outer_product import GatedLinearAttention, LinearAttention, RetNet
from zoo.layers.cells.pooling import QRNN, SRU
from zoo.layers.cells.rwkv import RWKV7
from zoo.layers.cells.selective import S6
from zoo.layers.cells.xlstm import MLSTM, SLSTM

_CELLS: dict[str, Callable[..., Cell]] = {
    "elman": Elman,
    "elman_relu": partial(Elman, activation="relu"),
    "elman_logistic": partial(Elman, activation="logistic"),
    "gru": GRU,
    "lstm": LSTM,
    "peephole_lstm": PeepholeLSTM,
    "mogrifier_elman": partial(Mogrifier, inner=Elman),
    "mogrifier_gru": partial(Mogrifier, inner=GRU),
    "mogrifier_lstm": Mogrifier,
    "slstm": SLSTM,
    "sru": SRU,
    "qrnn": QRNN,
    "min_gru": MinGRU,
    "min_lstm": MinLSTM,
    "rg_lru": RGLRU,
    "lru": LRU,
    "s4d": S4D,
    "s5": S5,
    "s6": S6,
    "linear_attention": LinearAttention,
    "retnet": RetNet,
    "gla": GatedLinearAttention,
    "mlstm": MLSTM,
    "delta_net": DeltaNet,
    "delta_net_signed": partial(DeltaNet, largest_beta=2.0),
    "gated_delta_net": GatedDeltaNet,
    "gated_delta_net_signed": partial(GatedDeltaNet, largest_beta=2.0),
    "rwkv7": RWKV7,
}
_TAKEN = frozenset((*_CELLS, "none", "feedforward", "transformer"))  # the last three are no cells


def register_cell(name: str, cell: Callable[..., Cell]) -> None:
    """Registers a cell under a name, for `model.cell=NAME` and for loading checkpoints.

    Call it in a config file or a script, before a model with the cell is made. A cell may be
    registered again, for example when a notebook's cell is run twice. The zoo's own names are
    taken. The cell is made once with size=1 as a check. A registration ends with the process, so
    each program that loads the model needs the same call.

    Args:
        name: the name in configs.
        cell: a class derived from `Cell`, or a function with the same arguments that returns one.

    Raises:
        UserError: the name is taken or empty, `cell` does not make a `Cell`, or the cell names a
            parameter or an array of its state that it does not have.

    Example:
        >>> register_cell("wide_forget_lstm", partial(LSTM, forget_bias=3.0))
    """
    if not isinstance(name, str) or not name or name in _TAKEN:
        raise UserError(
            f"a cell cannot be registered as {name!r}; use a name of your own, which is none of "
            f"{', '.join(sorted(_TAKEN))}"
        )
    made = cell(size=1) if callable(cell) else cell
    if not isinstance(made, Cell):
        raise UserError(
            f"the cell {name!r} is {made!r}; expected a class derived from zoo.Cell, or a function "
            "that makes one: zoo.register_cell(name, MyCell)"
        )
    unknown = sorted({*made.recurrent_weights} - {*made.parameters(1)})
    if unknown:
        raise UserError(
            f"recurrent_weights of the cell {name!r} has {', '.join(unknown)}; use names of its "
            f"parameters: {', '.join(made.parameters(1))}"
        )
    num_arrays = len(jax.tree.leaves(made.initial_state(1)))
    if any(not 0 <= at < num_arrays for at in made.fixed_states):
        raise UserError(
            f"fixed_states of the cell {name!r} is {made.fixed_states}; use positions of the "
            f"arrays of its state, from 0 to {num_arrays - 1}"
        )
    _CELLS[name] = cell


def is_registered(name: str) -> bool:
    """Returns whether a cell is known, and is none of the zoo's own.

    Example:
        >>> is_registered("lstm")
        False
    """
    return name in _CELLS and name not in _TAKEN


def cell_names() -> tuple[str, ...]:
    """Returns the names of all cells; the zoo's own names come first.

    Example:
        >>> cell_names()[:4]
        ('elman', 'elman_relu', 'elman_logistic', 'gru')
    """
    return tuple(_CELLS)


def check_cell(field: str, name: str, others: tuple[str, ...] = ()) -> None:
    """Raises a UserError unless a name is the name of a cell.

    Args:
        field: the field of the config with the name, such as "model.cell".
        name: the name.
        others: further names that are allowed.

    Raises:
        UserError: the name is unknown. The error lists the known names.

    Example:
        >>> check_cell("model.cell", "lstm")
    """
    if name not in (*_CELLS, *others):
        choices = ", ".join((*others, *_CELLS))
        raise UserError(
            f"{field} is {name!r}; choose one of {choices}, or call "
            f"zoo.register_cell({name!r}, ...) first"
        )


def make_cell(name: str, size: int, **options: Any) -> Cell:
    """Returns the cell with a name.

    Args:
        name: the name of the cell.
        size: H, the number of units.
        options: the other attributes of `Cell`.

    Raises:
        UserError: there is no such cell. The error lists the known cells.

    Example:
        >>> make_cell("gru", 8).parameters(3)["input_kernel"].shape
        (3, 24)
    """
    check_cell("the cell", name)
    return _CELLS[name](size=size, **options)
