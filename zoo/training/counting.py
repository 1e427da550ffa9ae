"""Training by counting: n-gram models take no steps, but one pass over the corpus."""

import math
import time
from collections.abc import Callable

from zoo.tasks.workload import CountingWorkload
from zoo.training.metrics import MetricsWriter
from zoo.training.run import Progress, Run
from zoo.training.scoring_command import scoring_command
from zoo.types import Params


def _score(workload: CountingWorkload, params: Params) -> tuple[dict[str, float], Progress]:
    """Returns the scores, and the progress that holds the finite ones; JSON has no infinity."""
    scores = workload.evaluate(params)
    finite = {name: value for name, value in scores.items() if math.isfinite(value)}
    known = dict(workload.fingerprints)
    return scores, Progress(best_step=1, validation=finite, fingerprints=known)


def count(
    run: Run,
    workload: CountingWorkload,
    *,
    seed: int,
    log: Callable[[str], None],
    report: bool = False,
) -> Progress:
    """Counts, saves and scores a model. A model that the run already has is only scored.

    Args:
        run: the run's directory.
        workload: the model and its corpus.
        seed: the seed of the sample.
        log: a function that receives each line of progress.
        report: write report.html.

    Returns:
        The progress of the run, whose only step is 1.
    """
    params = run.load_counted(workload.vocabulary, log, workload.fingerprints)
    if params is None:
        started = time.monotonic()
        params, lines = workload.estimate()
        log(f"counted in {time.monotonic() - started:.1f} s")
        for line in lines:
            log(line)
        scores, progress = _score(workload, params)
        sample = workload.sample(params, seed)
        with MetricsWriter(run, tensorboard=False) as writer:
            writer.write(1, "validation", progress.validation)
            writer.write_sample(1, sample)
        run.save_counted(params, workload.vocabulary, progress)
        run.end_session(1)
    else:
        log("counted before")
        scores, progress = _score(workload, params)
        sample = workload.sample(params, seed)
    log(f"validation: {workload.describe(scores)}")
    run.write_summary(1, progress.validation, [])
    if report:
        log(f"report: {run.write_report()}")
    if sample:
        log(f"sample:\n{sample}")
    log(f"for the test split: {scoring_command(run)}")
    return progress
