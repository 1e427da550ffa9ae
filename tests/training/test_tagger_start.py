"""A tagger that starts from another one knows its words, characters and tags by their names."""

import numpy as np
import pytest
from tagged_sentences import tagged_sentences, tagger_config, write_columns

import zoo
from zoo.training.loop import train

pytestmark = pytest.mark.usefixtures("optax_dtypes")
ONE_STEP = {"training__num_steps": 1, "evaluation__every_steps": 1, "model__output": "crf"}
STILL = {"optimizer__name": "sgd", "optimizer__learning_rate": 1e-30, "optimizer__warmup_steps": 0}


def test_rows_and_columns_are_found_by_their_names(tmp_path):
    first = write_columns(tmp_path / "first.conll", tagged_sentences())
    settings = ONE_STEP | {"model__characters": "convolution"}
    train(tagger_config(first, **settings), str(tmp_path / "first"), log=lambda line: None)
    renamed = [
        (tuple(word.replace("Bonn", "Zug") for word in words), tags)
        for words, tags in tagged_sentences(seed=1)
    ]
    second = write_columns(tmp_path / "second.conll", renamed)
    more = {"data__scheme": "bioes", "training__init_from": str(tmp_path / "first")}
    config = tagger_config(second, **settings, **STILL, **more)
    train(config, str(tmp_path / "second"), log=lambda line: None)
    old, new = zoo.load(tmp_path / "first"), zoo.load(tmp_path / "second")
    assert old.tags != new.tags
    assert "Zug" not in old.vocabulary.tokens

    def row(model, kind, name):
        return list(model.tokens[kind]).index(name)

    def check(path, kind, axis, shared, missing):
        before, after = (np.moveaxis(at(model.params, path), axis, 0) for model in (old, new))
        for name in shared:
            np.testing.assert_array_equal(after[row(new, kind, name)], before[row(old, kind, name)])
        np.testing.assert_allclose(after[row(new, kind, missing)], before.mean(axis=0), rtol=1e-5)

    def at(params, path):
        for name in path.split("/"):
            params = params[name]
        return np.asarray(params)

    check("embedding", "tokens", 0, ["<unk>", "Ulm", "lives"], "Zug")
    check("spelling/embedding", "characters", 0, ["U", "l"], "Z")
    shared_tags = sorted({*old.tags} & {*new.tags})
    check("output_kernel", "tags", 1, shared_tags, "S-loc")
    for name in ("output_bias", "start", "end"):
        check(name, "tags", 0, shared_tags, "S-loc")
    between = [at(model.params, "between") for model in (old, new)]
    for one in shared_tags:
        for two in shared_tags:
            found, wanted = (
                table[row(model, "tags", one), row(model, "tags", two)]
                for table, model in zip(between[::-1], (new, old), strict=True)
            )
            assert found == wanted
