"""The state of a run before its first step; each array is created on the device that holds it."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from ml_collections import ConfigDict

from zoo.tasks.workload import Workload
from zoo.training.averaging import AveragingConfig
from zoo.training.config import section
from zoo.training.devices import shardings
from zoo.training.members import list_members, optimize_each
from zoo.training.optimizers import make_optimizer
from zoo.training.state import TrainState, create_state


def initial_state(config: ConfigDict, workload: Workload, mesh: Mesh) -> TrainState:
    """Returns parameters, optimizer state and random key, all of which follow from training.seed.

    Args:
        config: a run's config.
        workload: the workload to train; with several members, the workload of all members.
        mesh: the devices.
    """
    optimizer = make_optimizer(
        section(config, "optimizer"), config.training.num_steps, workload.frozen
    )
    training = section(config, "training")
    averaging = AveragingConfig(training.averaging, training.averaging_decay)
    members = list_members(training)
    split: Callable[..., jax.Array] = jax.random.split
    key = jax.random.key(config.training.seed)
    if len(members) > 1:
        optimizer = optimize_each(optimizer, [member.rate_factor for member in members])
        split, key = jax.vmap(split), jnp.stack([jax.random.key(member.seed) for member in members])

    def create(key: jax.Array) -> TrainState:
        keys = split(key)
        return create_state(
            workload.objective,
            optimizer,
            workload.init_params(keys[..., 0]),
            workload.carry,
            keys[..., 1],
            num_microbatches=config.training.num_microbatches,
            num_members=len(members),
            mesh=mesh,
            averaging=averaging,
        )

    places = shardings(jax.eval_shape(create, key), mesh, len(members))
    return jax.jit(create, out_shardings=places)(key)
