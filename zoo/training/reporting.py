"""The report and log lines at the end of a run."""

from collections.abc import Callable

from ml_collections import ConfigDict

from zoo.tasks.workload import Workload
from zoo.training import hosts
from zoo.training.run import Progress, Run
from zoo.training.state import TrainState


def report(
    config: ConfigDict,
    run: Run,
    workload: Workload,
    state: TrainState,
    progress: Progress,
    log: Callable[[str], None],
) -> TrainState:
    """Logs the best score, the report and a sample, and returns the state of the best step."""
    best_step = int(state.step) if progress.best_step is None else progress.best_step
    if best_step != int(state.step):
        state = run.restore_arrays(best_step, state)
    params = hosts.for_scoring(state.used_params)
    scores = progress.best_scores or workload.evaluate(params)
    log(f"best step {best_step}, validation: {workload.describe(scores)}")
    wanted = config.evaluation.report
    run.write_summary(best_step, scores, workload.figures(params) if wanted else [])
    if wanted:
        log(f"report: {run.write_report()}")
    if sample := workload.sample(params, config.training.seed):
        log(f"sample:\n{sample}")
    return state
