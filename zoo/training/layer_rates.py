"""Learning rates that differ between layers, for the fine-tuning of a trained model.

    rate of depth d at step t = schedule(t) * f^(L - d)    if t >= u (L - d), else 0

f is the factor of discriminative rates, and u the number of steps between two layers that gradual
unfreezing lets go (both from Howard and Ruder 2018, section 3.2 and 3.3). Depth 0 are embeddings,
depth 1 to L - 1 the layers or blocks from the bottom, and depth L everything else, such as the
output.
"""

import re

import jax
import jax.numpy as jnp
import optax

from zoo.types import Params, PyTree

_LAYER = re.compile(r"(?:layer|block)_(\d+)$")


def depths(params: Params) -> PyTree:
    """Returns the depth of each parameter, see above.

    Example:
        >>> depths({"embedding": 1.0, "head": 1.0, "layer_0": 1.0, "layer_1": 1.0})
        {'embedding': 0, 'head': 3, 'layer_0': 1, 'layer_1': 2}
    """
    found = jax.tree_util.tree_map_with_path(lambda path, _: _depth(path), params)
    top = 1 + max(jax.tree.leaves(found), default=0)
    return jax.tree.map(lambda depth: top if depth < 0 else depth, found)


def _depth(path: jax.tree_util.KeyPath) -> int:
    """Returns the depth of the parameter at a path; -1 if it is in no layer."""
    names = [str(getattr(key, "key", "")) for key in path]
    layers = [int(match[1]) + 1 for name in names if (match := _LAYER.search(name))]
    if layers:
        return layers[0]
    return 0 if names[-1].endswith("embedding") else -1


def scale_by_depth(factor: float, steps_per_layer: int) -> optax.GradientTransformation:
    """Returns a transformation that multiplies updates by the factor of their depth, see above.

    Args:
        factor: f.
        steps_per_layer: u.

    Example:
        >>> scale = scale_by_depth(0.5, 10)
        >>> params = {"embedding": jnp.ones(1), "head": jnp.ones(1)}
        >>> updates, _ = scale.update(params, scale.init(params), params)
        >>> [name for name, update in updates.items() if update]
        ['head']
    """

    def init(params: Params) -> optax.ScaleByScheduleState:
        del params
        return optax.ScaleByScheduleState(jnp.zeros((), jnp.int32))

    def update(
        updates: PyTree, state: optax.ScaleByScheduleState, params: Params | None = None
    ) -> tuple[PyTree, optax.ScaleByScheduleState]:
        del params
        found = depths(updates)
        top = max(jax.tree.leaves(found))

        def scaled(own: jax.Array, depth: int) -> jax.Array:
            learns = state.count >= steps_per_layer * (top - depth)
            return jnp.where(learns, own * factor ** (top - depth), 0)

        after = optax.ScaleByScheduleState(optax.safe_increment(state.count))
        return jax.tree.map(scaled, updates, found), after

    return optax.GradientTransformation(init, update)
