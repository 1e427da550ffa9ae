"""A run's directory: its config, its metrics, its checkpoints, and how to continue it.

config.json, metrics.jsonl, samples.jsonl, sessions.jsonl, summary.json
                  see zoo/report/records.py
report.html       the page made of them
checkpoints/      the latest step and the best or the one before, see zoo/training/checkpoints.py
"""

import dataclasses
import json
import os
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
from zoo.training import checkpoints, hosts, lock, step_files
from zoo.training.behind import Behind
from zoo.training.checksums import DamagedCheckpoint
from zoo.training.places import RunPlace
from zoo.training.run_config import counts_alike, plain_config, refuse_other_config, write_config
from zoo.training.run_directory import make_directory
from zoo.training.state import TrainState
from zoo.training.writing import step_actions
from zoo.types import Json, Params, PyTree


@dataclasses.dataclass
class Progress:
    """The progress of a run beside its arrays, stored as plain JSON in every checkpoint.

    Attributes:
        best_step: the step with the lowest validation score; None before the first evaluation.
        best_score: the validation score of the best step.
        best_scores: all scores of the best step.
        stalled: the number of evaluations since the best one.
        stalled_at_rate: the number of evaluations since the best one or the last decay of the rate.
        scores: the score of every evaluation so far.
        sums: the sums of the metrics since the last progress line.
        validation: the scores of the last evaluation.
        fingerprints: a fingerprint of each split of the corpus, see `zoo.data.fingerprints`.
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
    """The directory of one run; with several processes, the first process writes it.

    Args:
        place: the place of its directory, which is created if it does not exist.
        config: the resolved config.
        allow_config_change: continue the run even if it was started with another config.

    Attributes:
        behind: what writes its checkpoints while training goes on.

    Raises:
        UserError: if the directory cannot be written, holds files of others, or holds a run with
            another config.
    """

    def __init__(self, place: RunPlace, config: ConfigDict, *, allow_config_change: bool = False):
        if not place.directory:
            raise UserError("workdir is empty; name a directory with --workdir=DIR")
        self._allow_config_change = allow_config_change
        self.place = place
        self.directory = Path(place.directory).expanduser().absolute()
        self.config = plain_config(config)
        self.behind = Behind()
        self._session_start: tuple[int, float] | None = None  # its first step and its time
        make_directory(self.directory)
        if checkpoints.steps(self.directory) and not allow_config_change:
            refuse_other_config(self.directory, self.config)

    @contextmanager
    def locked(self, log: Callable[[str], None]) -> Iterator[None]:
        """Keeps other runs out of the directory inside the context; see `zoo.training.lock`.

        With several processes, the first one holds the lock. If it fails, all of them fail.
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
        """Returns the state and progress of the newest sound checkpoint, or `template` and none.

        Metrics and samples written after that checkpoint are dropped: they will come again.

        Raises:
            UserError: if the corpus, vocabulary or arrays of the checkpoint do not fit this config.
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
        """Returns the newest sound checkpoint, once the first process has set aside the others."""

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
        """Returns the parameters of a counted model; None if they must still be counted.

        Raises:
            UserError: if the vocabulary of the checkpoint is not the vocabulary of this config, or
                its model is not a counted one.
        """
        directory = self._latest_sound(log)
        if directory is not None:
            self._check_corpus(directory, vocabulary, fingerprints, log)
            if counts_alike(directory, self.config, fingerprints):
                hosts.together(lambda: self.write_config(log))
                return _read(directory).params
            log("the model was counted with other settings or another text; it is counted again")
        hosts.together(lambda: self._begin(0, log))
        return None

    def save_counted(self, params: Params, vocabulary: Json, progress: Progress) -> None:
        """Writes the checkpoint of a counted model, whose only step is 1."""
        records, others = self._records(vocabulary, progress), {"step": np.int32(1)}
        self.behind.start(*step_actions(self.place, self.directory, 1, params, others, records))
        self.behind.wait()

    def _check_corpus(
        self,
        directory: epath.Path,
        vocabulary: Json,
        fingerprints: Mapping[str, str],
        log: Callable[[str], None],
    ) -> None:
        """Raises a UserError if the vocabulary or text changed since the run was started."""
        if step_files.read_json(directory / checkpoints.VOCABULARY) != vocabulary:
            raise UserError(
                f"the corpus has another vocabulary than when {self.directory} was started; "
                "give the corpus that it was started with, or choose another --workdir"
            )
        progress = step_files.read_json(directory / checkpoints.PROGRESS)
        known = progress.get("fingerprints", {})
        for split, found in fingerprints.items():
            if known.get(split, found) != found:
                told = f"the {split} split is another text than when {self.directory} was started"
                if not self._allow_config_change:
                    raise UserError(
                        f"{told}; give that text, choose another --workdir, or continue with "
                        "--allow_config_change"
                    )
                log(told)

    def write_config(self, log: Callable[[str], None]) -> None:
        """Writes config.json, and logs a line if the old file is damaged."""
        if hosts.is_first():
            write_config(self.directory, self.config, log)

    def restore_arrays(self, step: int, template: TrainState) -> TrainState:
        """Returns the state that was saved at a step."""
        self.behind.wait()
        directory = checkpoints.step_directory(self.directory, step)
        if not hosts.is_first():
            self.place.pull()
        try:
            checkpoints.verify(directory)
        except DamagedCheckpoint as error:
            raise UserError(f"{error}; the run cannot use it: choose another --workdir") from error
        return self._restore(directory, template)[0]

    def _restore(
        self, directory: epath.Path, template: TrainState
    ) -> tuple[TrainState, checkpoints.Restored]:
        params, others = _split(template)
        restored = _read(directory, params_template=params, state_template=others)
        return _join(template, restored.params, restored.state), restored

    def save(self, state: TrainState, vocabulary: Json, progress: Progress) -> Path:
        """Writes a checkpoint, and keeps this one and one other, see `checkpoints.keep`."""
        self.save_behind(state, vocabulary, progress)
        self.behind.wait()
        return Path(checkpoints.step_directory(self.directory, int(state.step)))

    def save_behind(self, state: TrainState, vocabulary: Json, progress: Progress) -> None:
        """Copies a checkpoint, which `behind` writes while training goes on; else as `save`."""
        records = self._records(vocabulary, progress)
        self.behind.start(
            *step_actions(self.place, self.directory, int(state.step), *_split(state), records)
        )

    def _records(self, vocabulary: Json, progress: Progress) -> dict[str, Json]:
        """Returns the JSON of a step as it is now."""
        return {
            "config": self.config,
            "vocabulary": vocabulary,
            "progress": dataclasses.asdict(progress),
        }

    def push(self) -> None:
        """Copies the changed files to the run's bucket, if it has one."""
        if hosts.is_first():
            self.place.push()

    def append(self, name: str) -> TextIO:
        """Opens one of the run's files of JSON lines, METRICS or SAMPLES, to append to it."""
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
        """Drops the metrics and samples of later steps, and damaged lines."""
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
    """Reads a step whose sums agree; raises a UserError if its arrays still cannot be read."""
    try:
        return checkpoints.restore(directory, **templates)
    except DamagedCheckpoint as error:
        raise UserError(f"{error}; remove {directory}, and type the same command") from error


def _split(state: TrainState) -> tuple[Params, dict[str, PyTree]]:
    """Returns the parameters that are used, and every other array as plain data."""
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
    """Returns the state that `_split` took apart."""
    fields = {"params": used_params, **others, "key": jax.random.wrap_key_data(others["key"])}
    if template.average is not None:
        count = fields.pop("average_count")
        fields["average"] = template.average.replace(params=used_params, count=count)
    return template.replace(**fields)
