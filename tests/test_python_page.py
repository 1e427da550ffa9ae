"""The page docs/python.md does what it says."""

import jax
import pytest
from pages import code_of
from tiny_run import write_corpus

import zoo


@pytest.mark.usefixtures("optax_dtypes")
def test_the_code_of_the_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_corpus(tmp_path, 400, "my.txt")
    names = {}
    with jax.numpy_rank_promotion("allow"):  # as it is outside our tests
        for block in code_of("python.md"):
            exec(block, names)
    out = capsys.readouterr().out
    assert "step 20/20 " in out
    assert f"\n{zoo.load('runs/mine')!r}\n".replace("runs/mine", "") in f"\n{out}\n".replace(
        "runs/mine", ""
    )
    assert zoo.load("my_models/words").vocabulary.kind == "word"
    assert "('a', 'net', 'reads', '</s>')" not in out  # pairs of tokens and bits
    assert "'layer_0': (4, 16)" in out
    assert out.rstrip().endswith("(2, 64)")
