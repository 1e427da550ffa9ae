"""A new run that starts from the parameters of a model that is trained already."""

import jax
import jax.numpy as jnp

from zoo.errors import UserError
from zoo.tasks.workload import Workload
from zoo.training import checkpoints
from zoo.training.arrays import first_difference
from zoo.training.state import TrainState
from zoo.types import Params, PyTree


def has_sound_step(workdir: str) -> bool:
    """Returns whether a run can go on from a checkpoint of its own."""
    if not workdir:
        return False
    return checkpoints.latest_sound(workdir, log=lambda line: None) is not None


def load_start(init_from: str, workload: Workload) -> PyTree:
    """Returns the parameters that training.init_from names.

    Args:
        init_from: what `zoo.load` takes.
        workload: what is to be trained; of several members, the workload of one.

    Raises:
        UserError: there is no such model, or its vocabulary or its parameters are not those of
            this config.
    """
    from zoo import hub  # imports what training itself does not need

    trained = hub.load(init_from)
    if trained.vocabulary_record != workload.vocabulary:
        raise UserError(
            f"training.init_from is {init_from}, which has another vocabulary or other labels than "
            "this config makes of its corpus; give a model that was trained on the same corpus "
            "with the same data settings"
        )
    wanted = jax.eval_shape(workload.init_params, jax.random.key(0))
    if told := first_difference(trained.params, wanted):
        raise UserError(
            f"training.init_from is {init_from}, whose parameters do not fit the model section of "
            f"this config: {told}; set the fields of model as that model has them"
        )
    return trained.params


def start_from(state: TrainState, params: Params) -> TrainState:
    """Returns the state before the first step, with other parameters in every member.

    Args:
        state: as `initial_state` makes it.
        params: as `load_start` gives them.
    """

    def place(new: jax.Array, old: jax.Array) -> jax.Array:
        repeated = jnp.broadcast_to(new, old.shape).astype(old.dtype)
        return jax.device_put(repeated, old.sharding)

    params = jax.tree.map(place, params, state.params)
    average = state.average
    if average is not None:
        average = average.replace(params=jax.tree.map(jnp.copy, params))
    return state.replace(params=params, average=average)
