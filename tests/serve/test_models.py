"""Which models are served, by which names, and when they are loaded."""

import shutil

import pytest

from zoo import hub
from zoo.errors import UserError
from zoo.serve.limits import Refused
from zoo.serve.models import ServedModels


def test_models_are_loaded_when_they_are_used_and_once(places, monkeypatch):
    loads = []
    load = hub.load
    monkeypatch.setattr(hub, "load", lambda place: loads.append(place) or load(place))
    models = ServedModels(places)
    assert models.listing()
    assert loads == []
    assert models.load("lstm") is models.load("lstm")
    models.load_mixture({"lstm": 0.5, "gru": 0.5})
    assert loads == [place for place in places if place.endswith(("/lstm", "/gru"))]


def test_what_the_page_learns_of_each_model(models):
    listing = {record["name"]: record for record in models.listing()}
    assert {name: record["use"] for name, record in listing.items()} == {
        "lstm": "generate",
        "gru": "generate",
        "counts": "generate",
        "characters": "generate",
        "topics": "classify",
        "names": "tag",
        "spelled": "tag",
        "parts": "tag",
        "german": "translate",
        "german_vector": "translate",
    }
    assert listing["gru"]["mixes_with"] == ["lstm", "counts"]
    assert listing["characters"]["mixes_with"] == listing["topics"]["mixes_with"] == []
    assert listing["lstm"]["has_gradients"]
    assert not listing["counts"]["has_gradients"]


def test_equal_names_are_told_apart_and_a_file_is_a_model(places, tmp_path):
    from zoo.__main__ import main

    (tmp_path / "copy").mkdir()
    shutil.copytree(places[0], tmp_path / "copy" / "lstm")
    file = str(tmp_path / "lstm.safetensors")
    assert main(["export", places[0], file]) == 0
    models = ServedModels([places[0], f"{tmp_path}/copy/lstm/", file])
    assert models.names == ["lstm", "lstm (2)", "lstm.safetensors"]
    assert models.listing()[2]["mixes_with"] == ["lstm", "lstm (2)"]
    assert models.load("lstm (2)").directory.parent.parent.parent.name == "copy"


def test_what_is_no_model_is_told_at_once(places, tmp_path):
    with pytest.raises(UserError, match="there is no checkpoint 'nothing'"):
        ServedModels([places[0], "nothing"])
    with pytest.raises(UserError, match="is given twice"):
        ServedModels([places[0], places[0]])
    with pytest.raises(UserError, match="cannot read"):
        ServedModels([f"{tmp_path}/none.safetensors"])


def test_a_model_that_is_gone_is_refused_and_its_path_is_not_told(places, tmp_path, caplog):
    shutil.copytree(places[0], tmp_path / "gone")
    models = ServedModels([str(tmp_path / "gone")])
    shutil.rmtree(tmp_path / "gone")
    with pytest.raises(Refused, match="gone cannot be loaded") as refused:
        models.load("gone")
    assert str(tmp_path) not in refused.value.reason
    assert str(tmp_path) in caplog.text


@pytest.mark.parametrize("place", ["lstm/", "../served/lstm", "", "german"])
def test_a_name_is_no_path(models, place):
    with pytest.raises(Refused):
        models.check(place, "generate")


def test_a_checkpoint_without_an_architecture_is_told(places, tmp_path, monkeypatch):
    record = hub.describe(places[0]) | {"config": {}}
    monkeypatch.setattr(hub, "describe", lambda place: record)
    with pytest.raises(UserError, match="no architecture is called 'None'"):
        ServedModels([places[0]])
