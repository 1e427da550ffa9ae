"""How far it is from train.py to the equations of a cell."""

import traceback
from pathlib import Path

import pytest
from tiny_run import ROOT, tiny_config

from zoo.layers.cells.lstm import PeepholeLSTM
from zoo.training.loop import train

MOST_CALLS, MOST_FILES = 15, 6


@pytest.mark.usefixtures("optax_dtypes")
def test_the_way_from_the_loop_to_the_equations_is_short(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways: list[list[str]] = []
    step = PeepholeLSTM.step

    def watched(self: PeepholeLSTM, params: object, state: object, projected: object) -> object:
        frames = traceback.extract_stack()[:-1]
        ways.append([frame.filename for frame in frames if str(ROOT / "zoo") in frame.filename])
        return step(self, params, state, projected)

    monkeypatch.setattr(PeepholeLSTM, "step", watched)
    config = tiny_config(corpus, model__cell="peephole_lstm", training__num_steps=1)
    train(config, str(tmp_path), log=lambda line: None)
    trained = [way for way in ways if any(file.endswith("training/state.py") for file in way)]
    calls = len(trained[0]) + 1  # and the step itself
    files = len(set(trained[0])) + 1  # and the file of the cell
    assert calls <= MOST_CALLS, trained[0]
    assert files <= MOST_FILES, trained[0]
