"""Recurrent cells, by name. A family is a file; docs/add_a_cell.md shows how to write one.

Example:
    >>> make_cell("lstm", size=4).num_gates
    4
"""

from collections.abc import Callable
from functools import partial
from typing import Any

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
_TAKEN = frozenset((*_CELLS, "none", "feedforward", "transformer"))  # some stand beside cells


def register_cell(name: str, cell: Callable[..., Cell]) -> None:
    """Makes a cell known by a name, for `model.cell=NAME` and for loading checkpoints.

    Call it in a config file or a script, before a model with that cell is made. A cell may be
    registered again, as when a notebook's cell is run twice; the zoo's own names are taken.

    Args:
        name: how configs call it.
        cell: a class derived from `Cell`, or a function of the same arguments that makes one.

    Raises:
        UserError: the name is taken or empty, or what it names makes no cell.

    Example:
        >>> register_cell("wide_forget_lstm", partial(LSTM, forget_bias=3.0))
    """
    if not isinstance(name, str) or not name or name in _TAKEN:
        raise UserError(
            f"a cell can't be registered as {name!r}; use a name of your own, which is none of "
            f"{', '.join(sorted(_TAKEN))}"
        )
    made = cell(size=1) if callable(cell) else cell
    if not isinstance(made, Cell):
        raise UserError(
            f"the cell {name!r} is {made!r}; expected a class derived from zoo.Cell, or a function "
            "that makes one: zoo.register_cell(name, MyCell)"
        )
    _CELLS[name] = cell


def cell_names() -> tuple[str, ...]:
    """The names of all cells, the zoo's own first.

    Example:
        >>> cell_names()[:4]
        ('elman', 'elman_relu', 'elman_logistic', 'gru')
    """
    return tuple(_CELLS)


def check_cell(field: str, name: str, others: tuple[str, ...] = ()) -> None:
    """Refuses a name that is no cell's.

    Args:
        field: of the config that names it, such as "model.cell".
        name: what it says.
        others: names that are right as well.

    Raises:
        UserError: with the names that there are.

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
    """A cell of a size.

    Args:
        name: of the cell.
        size: H, its units.
        options: the other attributes of `Cell`.

    Raises:
        UserError: if there is no such cell; the message lists those there are.

    Example:
        >>> make_cell("gru", 8).parameters(3)["input_kernel"].shape
        (3, 24)
    """
    check_cell("the cell", name)
    return _CELLS[name](size=size, **options)
