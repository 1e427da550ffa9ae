"""A checkpoint from before the bilinear score was scaled keeps its attention, however it is stored.

Those versions called the kernel `kernel` and scored q' W k.
"""

import jax
import numpy as np
import pytest
import tiny_checkpoints

import zoo
from zoo.errors import UserError
from zoo.exchange.safetensors_file import StoredModel, write_safetensors
from zoo.layers.attention import Attention
from zoo.models.registry import build
from zoo.training import checkpoints
from zoo.training.release import release

H, S, T = 6, 5, 3


def save_old(root, kernel):
    """A run of such a version; gives the directory of its step."""
    run = tiny_checkpoints.save(root, "german")
    step = checkpoints.restore(checkpoints.step_directory(run, 1))
    look = step.params["decoder"]["look"]
    look["attention"] = {"kernel": kernel}
    return checkpoints.save(
        run,
        step=1,
        params=step.params,
        state={"step": np.int32(1)},
        config={"model": {**step.config["model"], "score": "bilinear"}},
        vocabulary=step.vocabulary,
        progress={},
    )


@pytest.fixture
def kernel():
    return np.random.default_rng(1).standard_normal((H, H)).astype(np.float32)


def store(directory, root, form):
    """The same checkpoint as a run, compact, or as a file."""
    if form == "run":
        return directory
    if form != "safetensors":
        return release(directory, root / form, precision=form)
    step, file = checkpoints.restore(directory), root / "old.safetensors"
    write_safetensors(file, StoredModel(1, step.params, step.config, step.vocabulary, {}))
    return file


def weights_by_formula(kernel, queries, keys):
    scores = np.einsum("th,hg,sg->ts", queries, kernel, keys)
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def weights_of(trained, queries, keys):
    params = {"params": trained.params["decoder"]["look"]["attention"]}
    attention = Attention("bilinear", H)
    prepared = attention.apply(params, keys[None], method="prepare")
    return attention.apply(params, queries[None], prepared, keys[None], np.array([S])).weights[0]


@pytest.mark.parametrize("form", ["run", "half", "int8", "safetensors"])
def test_its_weights_are_those_of_the_formula_it_was_trained_with(tmp_path, kernel, form):
    place = store(save_old(tmp_path, kernel), tmp_path, form)
    draw = np.random.default_rng(2).standard_normal
    queries, keys = (draw((steps, H)).astype(np.float32) for steps in (T, S))
    tolerance = {"half": 2e-2, "int8": 0.1}.get(form, 1e-5)
    wanted = weights_by_formula(kernel, queries, keys)
    assert wanted.max() - wanted.min() > 0.3
    np.testing.assert_allclose(weights_of(zoo.load(place), queries, keys), wanted, atol=tolerance)


def test_its_shapes_are_checked_all_the_same(tmp_path):
    directory = save_old(tmp_path, np.ones((H, H + 1), np.float32))
    with pytest.raises(UserError, match="bilinear_kernel"):
        zoo.load(directory)


def test_its_run_is_refused_in_one_line(tmp_path, kernel):
    """Adam's moments are of the old kernel; what went on would not be the run that it was."""
    directory = save_old(tmp_path, kernel)
    trained = zoo.load(directory)
    sizes = {"source_vocabulary_size": len(trained.source_vocabulary)}
    model = build(trained.config["model"], len(trained.vocabulary), **sizes)
    tokens, lengths = np.ones((1, 1), np.int32), np.ones(1, np.int32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), tokens, lengths, tokens)["params"]
    with pytest.raises(UserError, match=r"bilinear_kernel.* the version of recurrent-zoo") as error:
        checkpoints.restore(directory, params_template=shapes)
    assert "\n" not in str(error.value)
