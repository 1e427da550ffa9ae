"""The page docs/add_a_cell.md: its cells, run from a temporary directory, do all that ours do."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from labeled_texts import classifier_config, labeled_texts, write_csv
from pages import code_of
from tiny_run import saved_bits, tiny_config, tiny_flags
from train_process import run_train

import zoo
from zoo.errors import UserError
from zoo.layers.recurrent import recurrence
from zoo.training.config import base_config
from zoo.training.loop import train

pytestmark = pytest.mark.usefixtures("optax_dtypes")
LEAKY, ATTENTION = code_of("add_a_cell.md")
NAMES = ("leaky", "fast_weights")


@pytest.fixture(scope="module")
def config_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's code as a file, far away from the package."""
    path = tmp_path_factory.mktemp("user") / "leaky.py"
    code = LEAKY.replace('zoo.register_cell("leaky", Leaky)', "")
    calls = 'zoo.register_cell("leaky", Leaky)\nzoo.register_cell("fast_weights", {})\n'
    path.write_text(code + ATTENTION + calls.format("LinearAttention"), encoding="utf-8")
    return path


@pytest.fixture
def page(config_file: Path) -> Iterator[ModuleType]:
    """The file imported; its cells are known until the test ends."""
    spec = importlib.util.spec_from_file_location("leaky", config_file)
    module = importlib.util.module_from_spec(spec)
    with jax.numpy_rank_promotion("allow"):  # as it is outside our tests
        spec.loader.exec_module(module)
        yield module


@pytest.mark.parametrize("name", NAMES)
def test_truncation_reaches_so_far_and_no_further(page: ModuleType, name: str) -> None:
    """The last step's gradient at the inputs is there for the last two steps alone."""
    cell = zoo.layers.cells.make_cell(name, size=3)
    keys = jax.random.split(jax.random.key(0), 3)
    params = {
        key: 0.5 * jax.random.normal(keys[0], parameter.shape)
        for key, parameter in cell.parameters(4).items()
    }

    def last(inputs: jax.Array) -> jax.Array:
        return (recurrence(cell, params, inputs, truncation=2).outputs[:, -1] ** 2).sum()

    grads = jax.jit(jax.grad(last))(jax.random.normal(keys[1], (2, 5, 4)))
    np.testing.assert_array_equal(grads[:, :3], 0)
    assert (jnp.abs(grads[:, 3:]).max(axis=(0, 2)) > 1e-6).all()


def test_a_language_model_resumes_loads_and_generates(
    page: ModuleType, corpus: Path, tmp_path: Path
) -> None:
    settings = {"model.cell": "fast_weights", "model.hidden_sizes": (4, 3), "model.truncation": 3}
    settings["optimizer.schedule"] = "constant"  # the same for any number of steps
    whole, cut = str(tmp_path / "whole"), str(tmp_path / "cut")
    train(tiny_config(corpus, **settings), whole)
    train(tiny_config(corpus, **settings, training__num_steps=6), cut)
    train(tiny_config(corpus, **settings), cut, allow_config_change=True)
    assert saved_bits(Path(cut), 12) == saved_bits(Path(whole), 12)
    checkpoint = zoo.load(whole)
    assert zoo.generate(checkpoint, max_tokens=5, seed=1)


def test_a_classifier_and_an_encoder_decoder(page: ModuleType, tmp_path: Path) -> None:
    table = write_csv(tmp_path / "texts.csv", labeled_texts(40), ("text", "label"))
    few = {"training.num_steps": 4, "evaluation.every_steps": 4}
    sizes = {"model.embedding_size": 8, "model.hidden_sizes": (4,), "model.cell": "leaky"}
    train(classifier_config(table, **few, **sizes), str(tmp_path / "classifier"))
    assert zoo.classify(zoo.load(tmp_path / "classifier"), ["a day"])[0].labels

    pairs = tmp_path / "words.de-en.tsv"
    pairs.write_text("".join(f"eins {n}\tone {n}\n" for n in range(40)), encoding="utf-8")
    config = base_config("encoder_decoder")
    data = {"data.corpus": "parallel_text", "data.directory": str(pairs), "data.batch_size": 8}
    ends = {"model.encoder": "leaky", "model.decoder": "fast_weights", "data.bucket_lengths": (8,)}
    sizes = {"model.embedding_size": 8, "model.hidden_size": 8}
    config.update_from_flattened_dict(few | data | ends | sizes)
    train(config, str(tmp_path / "translator"))
    assert zoo.translate(zoo.load(tmp_path / "translator"), ["eins"], beam_size=2)


def test_train_py_takes_the_file_as_a_config(
    config_file: Path, corpus: Path, tmp_path: Path
) -> None:
    flags = [f for f in tiny_flags(corpus, model__cell="leaky") if not f.startswith("--config=")]
    code, lines, errors = run_train(f"--config={config_file}", *flags, f"--workdir={tmp_path}")
    assert code == 0, errors
    assert any(line.startswith("best step") for line in lines)
    assert lines[-1].startswith(f"for the test split: python -m zoo evaluate {tmp_path} --split")
    assert lines[-1].endswith("in a program that first imports the file with leaky")
    assert "leaky" not in sys.modules
    with pytest.raises(UserError, match=r"'leaky'; choose one of elman, .*register_cell\('leaky'"):
        zoo.load(tmp_path)


def test_a_taken_name_and_what_is_no_cell_are_refused() -> None:
    with pytest.raises(UserError, match=r"cannot be registered as 'lstm'; use a name of your own"):
        zoo.register_cell("lstm", zoo.layers.cells.LSTM)
    with pytest.raises(UserError, match=r"the cell 'mine' is 3; expected a class derived from"):
        zoo.register_cell("mine", 3)

    class Wrong(zoo.layers.cells.LSTM):
        recurrent_weights = ("recurrent_kernel", "V")

    with pytest.raises(UserError, match=r"has V; use names of its parameters: input_kernel, recu"):
        zoo.register_cell("mine", Wrong)

    class Fixed(zoo.layers.cells.LSTM):
        fixed_states = (2,)

    with pytest.raises(UserError, match=r"is \(2,\); use positions .* from 0 to 1"):
        zoo.register_cell("mine", Fixed)
