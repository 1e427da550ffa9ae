"""Runs that are trained together are the runs that would have been trained alone."""

import re

import jax
import numpy as np
import pytest
from tiny_run import array_bits, metrics_of, tiny_config

import zoo
from zoo.data.labeled_batching import LabeledBatches
from zoo.data.loading import load_corpus
from zoo.errors import UserError
from zoo.evaluation.interpolation import Mixture
from zoo.tasks.registry import build_workload
from zoo.tasks.settings import TrainingConfig
from zoo.training import checkpoints
from zoo.training import config as configs
from zoo.training.loop import train
from zoo.training.members import MemberBatches, combine, list_members

pytestmark = pytest.mark.usefixtures("optax_dtypes")

SETTINGS = {
    "data__random_offset": True,
    "model__output_dropout_rate": 0.3,
    "optimizer__learning_rate": 0.01,
    "optimizer__clip_norm": 0.5,
    "training__seed": 3,
    "evaluation__num_streams": 1,
}
SEVERAL = {"training__num_seeds": 2, "training__learning_rate_factors": (0.5, 1.0)}


@pytest.fixture(scope="module")
def together(corpus, tmp_path_factory):
    """Two seeds by two learning rates, trained together: the workdir and what was logged."""
    workdir, log = tmp_path_factory.mktemp("together"), []
    train(tiny_config(corpus, **SETTINGS, **SEVERAL), str(workdir), log=log.append)
    return workdir, log


def params_of(workdir):
    return checkpoints.restore(checkpoints.step_directory(workdir, 12)).params


@pytest.mark.parametrize(
    ("name", "seed", "rate"),
    [("seed_3_rate_x0.5", 3, 0.005), ("seed_4_rate_x1", 4, 0.01)],
)
def test_a_member_ends_as_it_would_have_alone(corpus, together, tmp_path, name, seed, rate):
    workdir, _ = together
    alone = SETTINGS | {"training__seed": seed, "optimizer__learning_rate": rate}
    progress = train(tiny_config(corpus, **alone), str(tmp_path), log=lambda line: None)
    found, expected = params_of(workdir / name), params_of(tmp_path)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), found, expected)
    member = checkpoints.restore(checkpoints.step_directory(workdir / name, 12))
    assert member.config == checkpoints.restore(checkpoints.step_directory(tmp_path, 12)).config
    assert member.progress["best_score"] == pytest.approx(progress.best_score, rel=1e-5)


def test_members_differ(together):
    workdir, _ = together
    names = [path.name for path in workdir.iterdir() if path.name.startswith("seed_")]
    assert len(names) == 4
    assert len({str(array_bits(params_of(workdir / name))) for name in names}) == 4


def test_the_scores_are_means_over_seeds_of_the_best_learning_rate(corpus, together):
    workdir, log = together
    last = metrics_of(workdir, "validation")[-1]
    own = {name: value for name, value in last.items() if name.startswith("seed_")}
    means = [np.mean([own[f"seed_{seed}_rate_x{rate}"] for seed in (3, 4)]) for rate in ("0.5", 1)]
    assert last["nats_per_token"] == pytest.approx(min(means))
    spread = np.std([own["seed_3_rate_x1"], own["seed_4_rate_x1"]], ddof=1)
    assert any(f"+- {spread:.4f}" in line for line in log)


def test_the_ensemble_is_the_mean_of_the_probabilities(corpus, together):
    workdir, log = together
    validation = tiny_config(corpus)
    lines = load_corpus(configs.section(validation, "data"))["validation"]
    parts = tuple(zoo.load(workdir / f"seed_{seed}_rate_x1") for seed in (3, 4))
    mixture = Mixture(parts, np.array([0.5, 0.5]))
    expected = zoo.perplexity(mixture, lines)
    (line,) = [line for line in log if line.startswith("ensemble of the 2")]
    assert f"perplexity {expected:.2f}" in line


def test_what_holds_several_is_not_loaded_as_one(together):
    workdir, _ = together
    with pytest.raises(UserError, match=r"holds several models, trained together; give one of"):
        zoo.load(workdir)


def test_a_stopped_run_of_several_goes_on(corpus, together, tmp_path):
    workdir, _ = together
    config = tiny_config(corpus, **SETTINGS, **SEVERAL)

    def stop(line):
        if line.startswith("step 8/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, str(tmp_path), log=stop)
    assert checkpoints.steps(tmp_path) == [6]
    train(config, str(tmp_path), log=lambda line: None)
    found, expected = (params_of(path / "seed_4_rate_x1") for path in (tmp_path, workdir))
    assert array_bits(found) == array_bits(expected)


def test_batches_of_other_lengths_are_padded_to_the_longest():
    rows = [np.append(np.full(length, 5, np.int32), 2) for length in (1, 1, 6, 6)]
    one = LabeledBatches(rows, np.eye(4), batch_size=2, bucket_lengths=(2, 7), seed=0)
    orders = {seed: one.with_seed(seed).batch(0, 0).tokens.shape[1] for seed in range(9)}
    short, long = (next(s for s, steps in orders.items() if steps == n) for n in (2, 7))
    batch = MemberBatches([one.with_seed(seed) for seed in (short, long)]).batch(0, 0)
    assert batch.tokens.shape == (2, 2, 7)
    assert batch.lengths.tolist() == [[2, 2], [7, 7]]
    assert (batch.tokens[0, :, 2:] == 2).all()
    np.testing.assert_array_equal(batch.tokens[1], one.with_seed(long).batch(0, 0).tokens)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_seeds": 0}, "num_seeds is 0; use at least 1"),
        ({"learning_rate_factors": ()}, r"factors is \(\); use different numbers above 0"),
        ({"learning_rate_factors": (1.0, 1.0)}, "use different numbers above 0"),
        ({"learning_rate_factors": (0.0, 1.0)}, "use different numbers above 0"),
        ({"num_seeds": 2, "num_microbatches": 2}, "does not work with several members"),
        ({"seed": 2**32 - 1, "num_seeds": 2}, "use 0 to 4294967294"),
    ],
)
def test_members_that_can_not_be(fields, message):
    with pytest.raises(UserError, match=message):
        TrainingConfig(**fields)


def test_an_ordinary_run_is_its_only_member():
    assert [member.name for member in list_members(TrainingConfig(seed=7))] == ["seed_7"]


def test_the_starts_of_members_are_computed_one_after_the_other(corpus):
    """Two batches of QR factorisations, which orthogonal kernels start from, can wait for ever."""
    config = tiny_config(corpus, **SETTINGS, **SEVERAL)
    members = list_members(config.training)
    workload = combine(build_workload(config), members)
    keys = jax.random.split(jax.random.key(0), len(members))
    program = str(jax.make_jaxpr(workload.init_params)(keys))
    widths = re.findall(r"f32\[(\d+(?:,\d+)*)\] = qr", program)
    assert widths
    assert all(len(width.split(",")) == 2 for width in widths)
