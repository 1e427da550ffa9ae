"""The training loop: it calls `train_steps`, and logs, evaluates and saves between the calls."""

import math
import time
from collections.abc import Callable
from contextlib import ExitStack

import jax
import numpy as np
from ml_collections import ConfigDict

from zoo.errors import UserError
from zoo.tasks.by_size import describe, open_in
from zoo.tasks.registry import build_workload, settle
from zoo.tasks.workload import CountingWorkload, Workload
from zoo.terminal import print_line
from zoo.training import checkpoints, hosts
from zoo.training import config as configs
from zoo.training.averaging import is_stalled
from zoo.training.counting import count
from zoo.training.devices import describe_mesh, make_mesh
from zoo.training.init_from import Start, start_from, start_of
from zoo.training.length import advise_longer, describe_length, in_steps
from zoo.training.members import combine, list_members, write_members
from zoo.training.metrics import MetricsWriter, progress_line
from zoo.training.optimizers import count_updates, make_schedule
from zoo.training.places import run_place
from zoo.training.reporting import report
from zoo.training.run import Progress, Run
from zoo.training.scoring_command import scoring_command
from zoo.training.shares import own_parts
from zoo.training.signals import stop_signals
from zoo.training.stacking import stack_batches
from zoo.training.start import initial_state
from zoo.training.state import TrainState, train_steps


def _drop_line(line: str) -> None:
    """Drops a line of the log; every process but the first uses it."""
    del line


def train(
    config: ConfigDict,
    workdir: str,
    *,
    allow_config_change: bool = False,
    log: Callable[[str], None] = print_line,
) -> Progress:
    """Trains the model that a config describes, or continues the run that the workdir holds.

    SIGTERM or Ctrl-C ends the run with a checkpoint. When started again, the run continues from the
    checkpoint, and ends bit for bit as if it had not been stopped.

    Args:
        config: a config from `zoo.training.config.base_config`.
        workdir: the run's directory.
        allow_config_change: continue the run even if it was started with another config.
        log: a function that receives each line of progress.

    Returns:
        The progress of the run at its end.

    Raises:
        UserError: if the config, corpus or workdir is invalid, or the loss is not finite.
    """
    configs.check(config)
    # This comes first: a corpus that cannot be used, on any host, then leaves nothing behind.
    if fields := open_in(config):
        config = hosts.together(lambda: settle(config))
        if told := describe(config, fields):
            log(told)
        configs.check(config)
    workload = hosts.together(lambda: build_workload(config))
    return train_workload(
        config, workload, workdir, allow_config_change=allow_config_change, log=log
    )


def train_workload(
    config: ConfigDict,
    workload: Workload | CountingWorkload,
    workdir: str,
    *,
    allow_config_change: bool = False,
    log: Callable[[str], None] = print_line,
) -> Progress:
    """Trains a given workload, which may differ from what its config describes; else as `train`."""
    if not hosts.is_first():
        log = _drop_line
    given = config
    with ExitStack() as opened:
        place = hosts.together(lambda: opened.enter_context(run_place(workdir, log)))
        log, start = place.naming(log), None
        if isinstance(workload, Workload):
            batches_per_epoch = workload.batches.batches_per_epoch
            config = in_steps(config, batches_per_epoch)
            start = hosts.together(lambda: start_of(config, workload, place.directory))
        run = hosts.together(lambda: Run(place, config, allow_config_change=allow_config_change))
        opened.enter_context(run.locked(log))
        if isinstance(workload, Workload):
            length = describe_length(config.training.num_steps, batches_per_epoch)
            for line in (*workload.summary, *workload.notes, length):
                log(line)
            advice = advise_longer(given, config.training.num_steps, batches_per_epoch)
            progress = _train(config, run, workload, start, advice, log)
        else:
            seed, with_report = config.training.seed, config.evaluation.report
            progress = count(run, workload, seed=seed, log=log, report=with_report)
        hosts.together(run.push)
        return progress


def _train(
    config: ConfigDict,
    run: Run,
    of_one: Workload,
    start: Start | None,
    advice: str,
    log: Callable[[str], None],
) -> Progress:
    """Runs the training steps in the run's directory, from the parameters `start` if given.

    The advice is logged if the last evaluation is the best.
    """
    members = list_members(configs.section(config, "training"))
    workload, num_rows = of_one, config.data.batch_size // config.training.num_microbatches
    if len(members) > 1:
        workload, num_rows = combine(of_one, members), len(members)
    mesh = make_mesh(configs.section(config, "mesh"), num_rows)
    state = initial_state(config, workload, mesh)
    if start is not None:
        state = start_from(state, start.params)
        for note in start.notes:
            log(note)
    state, progress = run.resume(state, workload.vocabulary, log, workload.fingerprints)
    if described := describe_mesh(mesh, state.params):
        log(described)
    asked = {"tensorboard": config.training.tensorboard, "wandb": config.training.wandb}
    with MetricsWriter(run, **asked) as writer:
        loop = _Loop(config, run, workload, writer, log)
        with run.behind:
            state = loop.run(state, progress)
    run.end_session(int(state.step))
    if loop.finished(int(state.step), progress):
        if progress.best_step == config.training.num_steps:
            log(advice)
        best = report(config, run, workload, state, progress, log)
        if len(members) > 1:
            write_members(run, config, of_one, best, log)
        else:
            log(f"for the test split: {scoring_command(run)}")
    return progress


class _Loop:
    """The steps of one run, and what happens between them: logs, evaluations, checkpoints."""

    def __init__(
        self,
        config: ConfigDict,
        run: Run,
        workload: Workload,
        writer: MetricsWriter,
        log: Callable[[str], None],
    ):
        self.training, self.evaluation = config.training, config.evaluation
        self.optimizer = configs.section(config, "optimizer")
        self.schedule = make_schedule(self.optimizer, self.training.num_steps)
        self.saved_run, self.workload, self.writer, self.log = run, workload, writer, log
        self.seconds_left: float | None = None  # of training, from the last line of progress
        self.clock_step: int | None = None  # the step at which the clock of the rate was started
        self.clock = time.monotonic()

    def finished(self, step: int, progress: Progress) -> bool:
        """Returns whether the run is at its last step, or out of patience with validation."""
        out_of_patience = 0 < self.evaluation.patience <= progress.stalled
        return step >= self.training.num_steps or out_of_patience

    def run(self, state: TrainState, progress: Progress) -> TrainState:
        """Trains from the given state to the end or to a signal, and fills in `progress`."""
        step, num_steps = int(state.step), self.training.num_steps
        num_params = sum(array.size for array in jax.tree.leaves(state.params))
        self.log(f"{num_params:,} parameters; step {step} of {num_steps}")
        with stop_signals() as stopped:
            while not self.finished(step, progress):
                batches, taken = stack_batches(
                    self.workload.batches,
                    step,
                    most=self._next_event(step) - step,
                    capacity=self.training.steps_per_call,
                    mesh=state.mesh,
                )
                state, metrics = train_steps(state, batches, taken)
                self._accumulate(progress, step, jax.device_get(metrics), taken)
                step += taken
                if self.clock_step is None:
                    self._start_clock(step)
                state, saved = self._events(state, progress, step)
                self.saved_run.behind.look()
                if hosts.any_of_all(bool(stopped)) and not self.finished(step, progress):
                    if not saved:
                        self._save(state, progress)
                    self.saved_run.behind.wait()
                    self.log(f"stopped at step {step}; the same command continues from here")
                    break
        return state

    def _start_clock(self, step: int) -> None:
        """Starts the clock after the first call, so that compiling does not count in the rate."""
        now = time.monotonic()
        self.log(f"compiled and trained to step {step} in {now - self.clock:.1f} s")
        self.clock_step, self.clock = step, now

    def _next_event(self, step: int) -> int:
        """Returns the next step after which a log line, checkpoint or evaluation is due."""
        every = (
            self.training.log_every_steps,
            self.training.checkpoint_every_steps,
            self.evaluation.every_steps,
        )
        return min(self.training.num_steps, *((step // steps + 1) * steps for steps in every))

    def _accumulate(self, progress: Progress, step: int, metrics: dict, taken: int) -> None:
        """Adds up each step's metrics, and stops a run whose loss is not finite."""
        sums = progress.sums
        for index in range(taken):
            for name, values in metrics.items():
                value = float(values[index])
                if not math.isfinite(value):
                    raise UserError(self._not_finite(name, value, step + index + 1))
                sums[name] = sums.get(name, 0.0) + value
            sums["steps"] = sums.get("steps", 0.0) + 1

    def _not_finite(self, name: str, value: float, step: int) -> str:
        self.saved_run.behind.abandon()
        steps = checkpoints.steps(self.saved_run.directory)
        last = f"the last good checkpoint is step {steps[-1]}" if steps else "no checkpoint yet"
        return (
            f"{name} became {value} at step {step}; {last} of {self.saved_run.directory}; "
            "try a lower optimizer.learning_rate or optimizer.clip_norm"
        )

    def _events(self, state: TrainState, progress: Progress, step: int) -> tuple[TrainState, bool]:
        """Logs, evaluates and saves if the step is due; returns whether it saved."""
        last = step == self.training.num_steps
        if step % self.training.log_every_steps == 0 or last:
            self._log_training(state, progress, step)
        improved = False
        if step % self.evaluation.every_steps == 0 or last:
            improved = self._evaluate(state, progress, step)
            if not improved:
                state = self._after_stall(state, progress)
            state = self._begin_averaging(state, progress)
        due = step % self.training.checkpoint_every_steps == 0
        save = improved or due or self.finished(step, progress)
        if save:
            self._save(state, progress)
        return state, save

    def _log_training(self, state: TrainState, progress: Progress, step: int) -> None:
        sums, progress.sums = progress.sums, {}
        now = time.monotonic()
        assert self.clock_step is not None
        timed, seconds = step - self.clock_step, max(now - self.clock, 1e-3)
        tokens_a_step = sums["num_tokens"] / sums["steps"]
        self.clock_step, self.clock = step, now
        rate = self.schedule(count_updates(state.optimizer_state) - 1)
        record = {
            "loss_nats": sums["loss_nats"] / sums["num_targets"],
            "gradient_norm": sums["gradient_norm"] / sums["steps"],
            "learning_rate": float(rate) * float(state.learning_rate_scale),
        }
        if timed:  # the first call, which compiles, is not timed
            record["tokens_per_second"] = round(timed / seconds * tokens_a_step)
        self.writer.write(step, "train", record)
        before, num_steps = self.seconds_left, self.training.num_steps
        self.seconds_left = (num_steps - step) * seconds / timed if timed else None
        self.log(progress_line(step, num_steps, record, self.seconds_left))
        if before is None and self.seconds_left:
            whole = num_steps * seconds / timed / 60
            self.log(f"plan: about {whole:.1f} minutes of training, evaluations not counted")

    def _evaluate(self, state: TrainState, progress: Progress, step: int) -> bool:
        """Evaluates on the validation split; returns whether the score is the best one so far."""
        started = time.monotonic()
        params = hosts.for_scoring(state.used_params)
        scores = self.workload.evaluate(params)
        score = scores[self.workload.criterion]
        if not math.isfinite(score):
            raise UserError(self._not_finite(f"validation {self.workload.criterion}", score, step))
        self.writer.write(step, "validation", scores)
        self.writer.write_sample(step, self.workload.sample(params, self.training.seed))
        improved = progress.best_score is None or score < progress.best_score
        progress.validation = scores
        progress.scores.append(score)
        if improved:
            progress.best_step, progress.best_score, progress.best_scores = step, score, scores
            progress.stalled = progress.stalled_at_rate = 0
        else:
            progress.stalled += 1
            progress.stalled_at_rate += 1
        mark = " (best)" if improved else ""
        self.log(f"step {step}: validation {self.workload.describe(scores)}{mark}")
        self.clock += time.monotonic() - started  # the rate is the rate of training alone
        return improved

    def _after_stall(self, state: TrainState, progress: Progress) -> TrainState:
        """Lowers the rate and goes back to the best parameters, if the schedule says so."""
        config = self.optimizer
        if config.schedule != "plateau" or progress.stalled_at_rate < config.decay_patience:
            return state
        progress.stalled_at_rate = 0
        assert progress.best_step is not None
        best = self.saved_run.restore_arrays(progress.best_step, state)
        scale = state.learning_rate_scale * config.decay_factor
        self.log(
            f"validation stalled: learning rate times {config.decay_factor}, "
            f"continuing from the parameters of step {progress.best_step}"
        )
        return state.replace(
            params=best.params,
            average=best.average,
            optimizer_state=best.optimizer_state,
            learning_rate_scale=scale,
        )

    def _begin_averaging(self, state: TrainState, progress: Progress) -> TrainState:
        """Begins averaging if the config waits for a stall and validation has stalled now."""
        average = state.average
        if average is None or average.count >= 0:
            return state
        if not is_stalled(progress.scores, self.training.averaging_patience):
            return state
        self.log("validation stalled: from here on the average of the parameters is evaluated")
        return state.replace(average=average.begin())

    def _save(self, state: TrainState, progress: Progress) -> None:
        started = time.monotonic()
        hosts.together(lambda: self._refuse_not_finite(state))
        self.saved_run.save_behind(state, self.workload.vocabulary, progress)
        self.clock += time.monotonic() - started

    def _refuse_not_finite(self, state: TrainState) -> None:
        for array in jax.tree.leaves(state.params):
            for part in own_parts(array):
                if not np.isfinite(part).all():
                    value = float(part[~np.isfinite(part)][0])
                    raise UserError(self._not_finite("a parameter", value, int(state.step)))
