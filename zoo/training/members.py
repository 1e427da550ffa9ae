"""Members: several runs of one config, with other seeds and learning rates, trained at once.

Every array of the training state except the step gets a first axis for the M members. The loss is
the sum of the members' losses. Each loss depends only on the member's own parameters and batch:

    d (L_1 + ... + L_M) / d params_m = d L_m / d params_m

So one train step trains all members, and each member takes the steps that it would take alone, up
to rounding; if their batches differ in length, the shorter ones are padded, and dropout draws other
masks. Decisions from validation use the mean of the best learning rate: which step is the
best, when patience ends, and when a plateau lowers the rate. If one member's loss is not finite,
the whole run ends. The members are split over the mesh axis `data`.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import ConfigDict

from zoo.data.batching import Batches, SeededBatches
from zoo.special_tokens import END_ID
from zoo.tasks.settings import TrainingConfig
from zoo.tasks.task import Loss, Objective
from zoo.tasks.workload import Scores, Workload
from zoo.training import hosts
from zoo.training.config import section
from zoo.training.run import Progress, Run
from zoo.training.state import Array, TrainState
from zoo.types import Json, Params, PyTree


class Member(NamedTuple):
    """One of the runs.

    Attributes:
        name: the name of its directory below the workdir.
        seed: its training.seed.
        rate_factor: the factor that multiplies its learning rate.
    """

    name: str
    seed: int
    rate_factor: float


def list_members(training: TrainingConfig) -> list[Member]:
    """Returns the members of a run; an ordinary run has one.

    Example:
        >>> [member.name for member in list_members(TrainingConfig(num_seeds=2))]
        ['seed_0', 'seed_1']
        >>> list_members(TrainingConfig(learning_rate_factors=(0.5, 2.0)))[1]
        Member(name='seed_0_rate_x2', seed=0, rate_factor=2.0)
    """
    seeds = range(training.seed, training.seed + training.num_seeds)
    factors = training.learning_rate_factors
    return [
        Member(f"seed_{seed}" + (f"_rate_x{factor:g}" if len(factors) > 1 else ""), seed, factor)
        for factor, seed in itertools.product(factors, seeds)
    ]


@dataclass(frozen=True)
class SumOfLosses(Objective):
    """The objective of M members: it takes arrays [M, ...] and sums the losses.

    Attributes:
        one: the objective of each member.
    """

    one: Objective

    def loss(self, params: PyTree, carry: PyTree, batch: PyTree, key: Array) -> Loss:
        """Returns the sum of the losses, with the carries and the sums of the metrics."""
        losses, (carry, metrics) = jax.vmap(self.one.loss)(params, carry, batch, key)
        return losses.sum(), (carry, {name: values.sum() for name, values in metrics.items()})

    def rate_factor(self, batch: PyTree) -> Array:
        """Returns the factor of each member, [M]."""
        factors = jax.vmap(lambda own: jnp.asarray(self.one.rate_factor(own)))
        return factors(batch)


def optimize_each(
    optimizer: optax.GradientTransformation, rate_factors: Sequence[float]
) -> optax.GradientTransformation:
    """Returns an optimizer for all members that multiplies each one's updates by its factor.

    Example:
        >>> optimizer = optimize_each(optax.sgd(0.1), [1.0, 3.0])
        >>> params = {"weight": jnp.zeros((2, 1))}
        >>> grads = {"weight": jnp.ones((2, 1))}
        >>> updates, _ = optimizer.update(grads, optimizer.init(params), params)
        >>> updates["weight"].round(6).tolist()
        [[-0.10000000149011612], [-0.30000001192092896]]
    """
    factors = np.asarray(rate_factors, np.float32)

    def update_one(
        factor: Array, grads: PyTree, state: PyTree, params: Params
    ) -> tuple[PyTree, PyTree]:
        updates, state = optimizer.update(grads, state, params)
        return jax.tree.map(lambda update: factor * update, updates), state

    def update(grads: PyTree, state: PyTree, params: Params = None) -> tuple[PyTree, PyTree]:
        return jax.vmap(update_one)(jnp.asarray(factors), grads, state, params)

    return optax.GradientTransformation(jax.vmap(optimizer.init), update)


class MemberBatches:
    """The batches of all members side by side, arrays [M, B, ...].

    If buckets give the members' batches different lengths, the shorter batches are padded.

    Args:
        batches: the batches of each member.
    """

    def __init__(self, batches: Sequence[Batches]):
        self._batches = batches
        self.batches_per_epoch = batches[0].batches_per_epoch

    def batch(self, epoch: int, index: int) -> PyTree:
        """Returns batch number `index` of an epoch for every member."""
        return jax.tree.map(_stack, *(one.batch(epoch, index) for one in self._batches))


def _stack(*arrays: np.ndarray) -> np.ndarray:
    """Stacks arrays [B, ...] to one array [M, B, ...], with tokens padded to the longest."""
    if arrays[0].ndim == 1:
        return np.stack(arrays)
    longest, rest = max(array.shape[1] for array in arrays), [(0, 0)] * (arrays[0].ndim - 2)
    return np.stack(
        [
            np.pad(array, [(0, 0), (0, longest - array.shape[1]), *rest], constant_values=END_ID)
            for array in arrays
        ]
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class MembersWorkload(Workload):
    """The workload of all members.

    Its scores are means over the seeds of the learning rate that is best by these means. Beside
    them, the criterion of each member is stored under the member's name.

    Attributes:
        one: the workload of one member.
        members: all members.
    """

    one: Workload
    members: tuple[Member, ...]

    @property
    def criterion(self) -> str:  # type: ignore[override]
        """The name of the score that training minimizes."""
        return self.one.criterion

    def init_params(self, key: Array) -> PyTree:
        """Returns the initial parameters of all members, from their keys [M]."""
        # One after the other: orthogonal kernels start from QR factorisations, and two batches of
        # these wait for each other for ever on a CPU of two cores (jaxlib 0.10.2).
        return jax.lax.map(self.one.init_params, key)

    def evaluate(self, params: PyTree) -> Scores:
        """Returns the scores on the validation split."""
        scores = score_each(self.one, params, self.members)
        _, mean = best_rate(scores, self.members, self.criterion)
        return mean | {member.name: score[self.criterion] for member, score in scores.items()}

    def describe(self, scores: Scores) -> str:
        """Describes scores in a few words."""
        return f"mean over seeds {self.one.describe(scores)}"

    def sample(self, params: PyTree, seed: int) -> str:
        """Returns a sample from the first member."""
        return self.one.sample(take(params, 0), seed)

    def figures(self, params: PyTree) -> list[Json]:
        """Returns the figures of the first member for the report."""
        return self.one.figures(take(params, 0))


def combine(workload: Workload, members: Sequence[Member]) -> MembersWorkload:
    """Returns the workload of all members, from the workload of one member."""
    batches = cast(SeededBatches, workload.batches)
    return MembersWorkload(
        trained=workload.trained,
        fingerprints=workload.fingerprints,
        objective=SumOfLosses(workload.objective),
        batches=MemberBatches([batches.with_seed(member.seed) for member in members]),
        carry=jax.tree.map(lambda array: jnp.stack([array] * len(members)), workload.carry),
        frozen=workload.frozen,
        summary=workload.summary,
        notes=workload.notes,
        one=workload,
        members=tuple(members),
    )


def take(tree: PyTree, number: int) -> PyTree:
    """Returns one member's part of a tree of arrays [M, ...]."""
    return jax.tree.map(lambda array: array[number], tree)


def score_each(
    workload: Workload, params: Params, members: Sequence[Member]
) -> dict[Member, dict[str, float]]:
    """Returns the scores of each member on the validation split."""
    return {member: workload.evaluate(take(params, m)) for m, member in enumerate(members)}


def best_rate(
    scores: Mapping[Member, Mapping[str, float]], members: Sequence[Member], criterion: str
) -> tuple[list[Member], dict[str, float]]:
    """Returns the members with the learning rate of the lowest mean over seeds, and the means.

    Example:
        >>> members = list_members(TrainingConfig(num_seeds=2, learning_rate_factors=(1.0, 2.0)))
        >>> values = [5.0, 7.0, 4.0, 4.5]
        >>> scores = {one: {"nats": value} for one, value in zip(members, values, strict=True)}
        >>> best, mean = best_rate(scores, members, "nats")
        >>> [one.name for one in best], mean
        (['seed_0_rate_x2', 'seed_1_rate_x2'], {'nats': 4.25})
    """
    groups: dict[float, list[Member]] = {}
    for member in members:
        groups.setdefault(member.rate_factor, []).append(member)
    means = []
    for group in groups.values():
        values = {name: [scores[one][name] for one in group] for name in scores[group[0]]}
        means.append((group, {name: float(np.mean(found)) for name, found in values.items()}))
    return min(means, key=lambda group_and_mean: group_and_mean[1][criterion])


def write_members(
    run: Run, config: ConfigDict, workload: Workload, state: TrainState, log: Callable[[str], None]
) -> None:
    """Writes each member as a run of its own below the workdir, and logs their scores.

    Args:
        run: the run of all members.
        config: its config.
        workload: the workload of one member.
        state: the state of all members at the best step.
        log: a function that receives a line for each member, their mean and spread, and the score
            of the ensemble.
    """
    members = list_members(section(config, "training"))
    params = hosts.for_scoring(state.used_params)
    scores = score_each(workload, params, members)
    for number, (member, score) in enumerate(scores.items()):
        _write_member(run, config, workload, member, number, state, score, log)
        log(f"{run.directory / member.name}: {workload.describe(score)}")
    best, mean = best_rate(scores, members, workload.criterion)
    values = [scores[one][workload.criterion] for one in best]
    spread = f" +- {np.std(values, ddof=1):.4f}" if len(best) > 1 else ""
    log(
        f"{', '.join(member.name for member in best)}: mean {workload.describe(mean)}; "
        f"{workload.criterion} {mean[workload.criterion]:.4f}{spread}"
    )
    parts = [take(params, members.index(member)) for member in best]
    if len(best) > 1 and (ensemble := workload.evaluate_ensemble(parts)) is not None:
        log(f"ensemble of the {len(best)}: {workload.describe(ensemble)}")


def _write_member(
    run: Run,
    config: ConfigDict,
    workload: Workload,
    member: Member,
    number: int,
    state: TrainState,
    score: dict[str, float],
    log: Callable[[str], None],
) -> None:
    own = config.copy_and_resolve_references()
    own.training.num_seeds, own.training.learning_rate_factors = 1, (1.0,)
    own.training.seed = member.seed
    own.optimizer.learning_rate = config.optimizer.learning_rate * member.rate_factor
    of_member = ("params", "optimizer_state", "carry", "key")
    step = int(state.step)
    known = dict(workload.fingerprints)
    progress = Progress(
        step, score[workload.criterion], score, validation=score, fingerprints=known
    )
    average = state.average
    if average is not None:
        average = average.replace(params=take(average.params, number))
    target = Run(run.place.below(member.name), own, allow_config_change=True)
    target.write_config(log)
    target.save(
        state.replace(
            **{name: take(getattr(state, name), number) for name in of_member},
            average=average,
        ),
        workload.vocabulary,
        progress,
    )
