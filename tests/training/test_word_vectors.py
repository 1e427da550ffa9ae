"""Pre-trained vectors in a run: where the embeddings start, what is frozen, what is told."""

import jax
import numpy as np
import pytest
from tiny_run import ROOT, read_config, write_corpus

import zoo
from zoo.errors import UserError
from zoo.tasks.registry import build_workload
from zoo.training.loop import train

WORDS = ("the", "bird", "sings", "again")
WIDTH = 6
VECTORS = np.random.default_rng(0).normal(scale=3, size=(len(WORDS), WIDTH)).astype(np.float32)


@pytest.fixture
def config(tmp_path):
    lines = [
        f"{word} {' '.join(map(str, vector))}\n"
        for word, vector in zip(WORDS, VECTORS, strict=True)
    ]
    (tmp_path / "vectors.txt").write_text("".join(lines))
    config = read_config(ROOT / "configs" / "penn_treebank_feedforward.py")
    config.update_from_flattened_dict(
        {
            "data.corpus": "text_file",
            "data.directory": str(write_corpus(tmp_path)),
            "data.cache_directory": str(tmp_path / "cache"),
            "data.word_vectors": str(tmp_path / "vectors.txt"),
            "data.batch_size": 4,
            "data.sequence_length": 5,
            "model.embedding_size": WIDTH,
            "model.hidden_size": 7,
            "optimizer.warmup_steps": 0,
            "optimizer.weight_decay": 0.1,
            "training.num_steps": 12,
            "evaluation.sample_tokens": 0,
        }
    )
    return config


def embedding_after(config, workdir):
    """The vectors of WORDS, and the others', before and after training; and what was told."""
    told = []
    workload = build_workload(config)
    before = workload.init_params(jax.random.split(jax.random.key(0))[0])["embedding"]
    train(config, str(workdir), log=told.append)
    checkpoint = zoo.load(workdir)
    rows = [checkpoint.vocabulary.tokens.index(word) for word in WORDS]
    after = np.asarray(checkpoint.params["embedding"])
    others = np.setdiff1d(np.arange(len(after)), rows)
    return np.asarray(before)[rows], after[rows], np.asarray(before)[others], after[others], told


def test_frozen_vectors_stay_and_words_without_one_learn(config, tmp_path):
    config.training.freeze_word_vectors = True
    before, after, others_before, others_after, told = embedding_after(config, tmp_path / "run")
    np.testing.assert_array_equal(before, VECTORS)
    np.testing.assert_array_equal(after, VECTORS)
    assert (others_before != others_after).any(axis=1).mean() > 0.8
    [line] = [one for one in told if one.startswith("vectors.txt: 4 of ")]
    assert line.endswith("start at random")


def test_trained_vectors_start_there_and_move(config, tmp_path):
    before, after, others_before, *_ = embedding_after(config, tmp_path / "run")
    np.testing.assert_array_equal(before, VECTORS)
    assert (after != VECTORS).any(axis=1).all()
    assert others_before.std() == pytest.approx(VECTORS.std(), rel=0.3)  # as spread out


def test_a_width_that_differs_is_told(config, tmp_path):
    config.model.embedding_size = 8
    with pytest.raises(UserError, match=r"have 6 numbers, .*use model\.embedding_size=6"):
        train(config, str(tmp_path / "run"))


def test_freezing_nothing_is_told(config, tmp_path):
    config.data.word_vectors = ""
    config.training.freeze_word_vectors = True
    with pytest.raises(UserError, match=r"is set without a file; use data\.word_vectors=FILE$"):
        train(config, str(tmp_path / "run"))
