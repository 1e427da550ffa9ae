"""A run's directory: its config, its metrics, its checkpoints, and how one goes on.

config.json, metrics.jsonl, samples.jsonl, sessions.jsonl, summary.json
                  see zoo/report/records.py
report.html       the page made of them
checkpoints/      the latest step and the best or the one before, see zoo/training/checkpoints.py
"""

import dataclasses
import json
import os
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

import jax
import numpy as np
from etils import epath
from ml_collections import ConfigDict

from zoo.errors import UserError
from zoo.report.page import write_report
from zoo.report.records import (
    METRICS,
    REPORT,
    SAMPLES,
    SUMMARY,
    read_lines,
    write_sealed,
    write_text,
)
from zoo.report.sessions import SESSIONS, add_line
from zoo.terminal import typed_command
from zoo.training import checkpoints, hosts, lock
from zoo.training.checksums import DamagedCheckpoint
from zoo.training.places import RunPlace
from zoo.training.run_config import plain_config, refuse_other_config, write_config
from zoo.training.state import TrainState
from zoo.types import Json, Params, PyTree


@dataclasses.dataclass
class Progress:
    """What the loop has to remember beside the arrays; plain JSON in every checkpoint.

    Attributes:
        best_step: the step with the lowest score on validation, None before the first evaluation.
        best_score: that score.
        best_scores: all scores of that step.
        stalled: evaluations since the best one.
        stalled_at_rate: the same since the learning rate was last lowered.
        scores: the score of every evaluation so far.
        sums: the metrics' sums since the last line of progress.
        validation: the scores of the last evaluation.
        fingerprints: of each split of the corpus, see `zoo.data.fingerprints`.
    """

    best_step: int | None = None
    best_score: float | None = None
    best_scores: dict[str, float] = dataclasses.field(default_factory=dict)
    stalled: int = 0
    stalled_at_rate: int = 0
    scores: list[float] = dataclasses.field(default_factory=list)
    sums: dict[str, float] = dataclasses.field(default_factory=dict)
    validation: dict[str, float] = dataclasses.field(default_factory=dict)
    fingerprints: dict[str, str] = dataclasses.field(default_factory=dict)


class Run:
    """The directory of one run; of several processes that train together the first one writes it.

    Args:
        place: of its directory, which is made where it is absent.
        config: the resolved config.
        allow_config_change: go on although the run was started with another config.

    Raises:
        UserError: the directory can't be written, or holds a run with another config.
    """

    def __init__(self, place: RunPlace, config: ConfigDict, *, allow_config_change: bool = False):
        if not place.directory:
            raise UserError("workdir is empty; name a directory with --workdir=DIR")
        self._allow_config_change = allow_config_change
        self.place = place
        self.directory = Path(place.directory).expanduser().absolute()
        self.config = plain_config(config)
        self._session_start: tuple[int, float] | None = None  # its first step and its time
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            if not os.access(self.directory, os.W_OK):
                raise PermissionError(13, "Permission denied")
        except OSError as error:
            raise UserError(
                f"workdir {self.directory} can't be written ({error.strerror}); "
                "choose another with --workdir=DIR"
            ) from error
        if checkpoints.steps(self.directory) and not allow_config_change:
            refuse_other_config(self.directory, self.config)

    @contextmanager
    def locked(self, log: Callable[[str], None]) -> Iterator[None]:
        """Inside, no other run uses the directory; see `zoo.training.lock`.

        Of several processes the first one holds the lock; where it is refused, all of them are.
        """
        with ExitStack() as held:

            def hold() -> None:
                if hosts.is_first():
                    held.enter_context(lock.locked(self.directory, log))

            hosts.together(hold)
            yield

    def resume(
        self,
        template: TrainState,
        vocabulary: Json,
        log: Callable[[str], None],
        fingerprints: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[TrainState, Progress]:
        """The state and progress of the newest sound checkpoint, or `template` and none.

        Metrics and samples written after that checkpoint are dropped: they will come again.

        Raises:
            UserError: the checkpoint's corpus, vocabulary or arrays are not those of this config.
        """
        directory = self._latest_sound(log)
        state, progress = template, Progress()
        if directory is not None:
            self._check_corpus(directory, vocabulary, fingerprints, log)
            state, restored = self._restore(directory, template)
            progress = Progress(**restored.progress)
        progress.fingerprints = dict(fingerprints)
        hosts.together(lambda: self._begin(int(state.step), log))
        return state, progress

    def _begin(self, step: int, log: Callable[[str], None]) -> None:
        """Puts the run's files in order, to go on from a step."""
        self._session_start = step, time.monotonic()
        self.write_config(log)
        self._truncate(step, log)
        self.push()

    def _latest_sound(self, log: Callable[[str], None]) -> epath.Path | None:
        """The newest sound checkpoint, when the first process has set the others aside."""

        def find() -> epath.Path | None:
            return checkpoints.latest_sound(self.directory, log=log, set_aside=hosts.is_first())

        first = hosts.together(lambda: find() if hosts.is_first() else None)
        found = first if hosts.is_first() else find()
        seen = hosts.gather_texts(found.name if found else "no step")
        if len(set(seen)) > 1:
            raise UserError(
                f"the processes see different steps in {self.directory} ({', '.join(seen)}); "
                "give a --workdir on a file system that all of them see"
            )
        return found

    def load_counted(
        self,
        vocabulary: Json,
        log: Callable[[str], None],
        fingerprints: Mapping[str, str] = MappingProxyType({}),
    ) -> Params | None:
        """The parameters of a counted model; None where they are still to be counted.

        Raises:
            UserError: the checkpoint's vocabulary is not that of this config.
        """
        directory = self._latest_sound(log)
        if directory is None:
            hosts.together(lambda: self._begin(0, log))
            return None
        hosts.together(lambda: self.write_config(log))
        self._check_corpus(directory, vocabulary, fingerprints, log)
        return _read(directory).params

    def save_counted(self, params: Params, vocabulary: Json, progress: Progress) -> None:
        """Write the checkpoint of a counted model: it is step 1, and there is no other."""
        self._write_step(1, params, {"step": np.int32(1)}, vocabulary, progress)

    def _check_corpus(
        self,
        directory: epath.Path,
        vocabulary: Json,
        fingerprints: Mapping[str, str],
        log: Callable[[str], None],
    ) -> None:
        """Raises UserError for another vocabulary or text than the run was started with."""
        if checkpoints.read_json(directory / checkpoints.VOCABULARY) != vocabulary:
            raise UserError(
                f"the corpus has another vocabulary than when {self.directory} was started; "
                "give the corpus it was started with, or choose another --workdir"
            )
        progress = checkpoints.read_json(directory / checkpoints.PROGRESS)
        known = progress.get("fingerprints", {})
        for split, found in fingerprints.items():
            if known.get(split, found) != found:
                told = f"the {split} split is another text than when {self.directory} was started"
                if not self._allow_config_change:
                    raise UserError(
                        f"{told}; give that text, choose another --workdir, or go on with "
                        "--allow_config_change"
                    )
                log(told)

    def test_command(self) -> str:
        """What to type for the score on the test split."""
        place = self.config["data"]["directory"]
        where = f" --data_directory={shlex.quote(place)}" if place else ""
        run = shlex.quote(self.place.name(str(self.directory)))
        return f"python -m zoo evaluate {run} --split=test{where}"

    def write_config(self, log: Callable[[str], None]) -> None:
        """Writes config.json, and tells if what was there is damaged."""
        if hosts.is_first():
            write_config(self.directory, self.config, log)

    def restore_arrays(self, step: int, template: TrainState) -> TrainState:
        """The state saved at one step."""
        directory = checkpoints.step_directory(self.directory, step)
        if not hosts.is_first():
            self.place.pull()
        try:
            checkpoints.verify(directory)
        except DamagedCheckpoint as error:
            raise UserError(f"{error}; the run can't use it: choose another --workdir") from error
        return self._restore(directory, template)[0]

    def _restore(
        self, directory: epath.Path, template: TrainState
    ) -> tuple[TrainState, checkpoints.Restored]:
        params, others = _split(template)
        restored = _read(directory, params_template=params, state_template=others)
        return _join(template, restored.params, restored.state), restored

    def save(self, state: TrainState, vocabulary: Json, progress: Progress) -> Path:
        """Write a checkpoint; then keep this one and another, see `checkpoints.keep`."""
        params, others = hosts.gather(_split(state))
        step = int(state.step)
        self._write_step(step, params, others, vocabulary, progress)
        return Path(checkpoints.step_directory(self.directory, step))

    def _write_step(
        self, step: int, params: Params, state: PyTree, vocabulary: Json, progress: Progress
    ) -> None:
        def write() -> None:
            if hosts.is_first():
                checkpoints.save(
                    self.directory,
                    step=step,
                    params=params,
                    state=state,
                    config=self.config,
                    vocabulary=vocabulary,
                    progress=dataclasses.asdict(progress),
                )
                checkpoints.keep(self.directory, best=progress.best_step)
                self.place.push()

        hosts.together(write)

    def push(self) -> None:
        """Copies what has changed to the run's bucket, if it has one."""
        if hosts.is_first():
            self.place.push()

    def append(self, name: str) -> TextIO:
        """One of the run's files of JSON lines, METRICS or SAMPLES, to append to."""
        path = self.directory / name if hosts.is_first() else Path(os.devnull)
        return path.open("a", encoding="utf-8", buffering=1)

    def end_session(self, step: int) -> None:
        """Notes the duration and the command of a session that took steps, see `zoo.report`."""
        start, self._session_start = self._session_start, None
        if start is not None and step > start[0] and hosts.is_first():
            seconds = round(time.monotonic() - start[1], 1)
            record = {"step": step, "seconds": seconds, "command": typed_command()}
            add_line(self.directory, SESSIONS, record)

    def write_summary(self, best_step: int, scores: dict[str, float], figures: list[Json]) -> None:
        """Writes what the run came to, see `zoo.report.records`."""
        if hosts.is_first():
            summary = {"best_step": best_step, "scores": scores, "figures": figures}
            write_sealed(self.directory / SUMMARY, summary)

    def write_report(self) -> Path:
        """Writes the page that is made of the run's records, and returns its path."""
        if hosts.is_first():
            write_report([self.directory])
        return self.directory / REPORT

    def _truncate(self, step: int, log: Callable[[str], None]) -> None:
        """Drops what metrics and samples say of later steps, and lines that are damaged."""
        if not hosts.is_first():
            return
        for path in (self.directory / METRICS, self.directory / SAMPLES):
            if path.exists():
                kept = [
                    record
                    for record in read_lines(path, log)
                    if isinstance(record["step"], int) and record["step"] <= step
                ]
                lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in kept)
                write_text(path, "".join(lines))


def _read(directory: epath.Path, **templates: PyTree) -> checkpoints.Restored:
    """A step whose sums agree; UserError where its arrays can't be read all the same."""
    try:
        return checkpoints.restore(directory, **templates)
    except DamagedCheckpoint as error:
        raise UserError(f"{error}; remove {directory}, and type the same command") from error


def _split(state: TrainState) -> tuple[Params, dict[str, PyTree]]:
    """The parameters that are used, and every other array as plain data."""
    others = {
        "step": state.step,
        "optimizer_state": state.optimizer_state,
        "carry": state.carry,
        "key": jax.random.key_data(state.key),
        "learning_rate_scale": state.learning_rate_scale,
    }
    if state.average is not None:
        others |= {"params": state.params, "average_count": state.average.count}
    return state.used_params, others


def _join(template: TrainState, used_params: Params, others: dict[str, PyTree]) -> TrainState:
    """The state that `_split` took apart."""
    fields = {"params": used_params, **others, "key": jax.random.wrap_key_data(others["key"])}
    if template.average is not None:
        count = fields.pop("average_count")
        fields["average"] = template.average.replace(params=used_params, count=count)
    return template.replace(**fields)
