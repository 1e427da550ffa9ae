"""What the page says of a model before it is used."""

import pytest
import tiny_checkpoints

from zoo import hub
from zoo.data.vocabulary import vocabulary_from_json
from zoo.decoding.text import unknown_parts
from zoo.serve.introductions import introduce
from zoo.serve.models import ServedModels

RELEASED = [checkpoint.name for checkpoint in hub.list_checkpoints()]


def vocabulary_of(record):
    """The vocabulary of the texts that a model reads."""
    vocabulary = record["vocabulary"]
    for part in ("source", "tokens", "words"):
        if isinstance(vocabulary.get(part), dict):
            vocabulary = vocabulary[part]
    return vocabulary_from_json(vocabulary)


@pytest.mark.parametrize("name", RELEASED)
def test_a_released_model_is_introduced_with_words_that_it_knows(name):
    (told,) = ServedModels([name]).listing()
    assert told["summary"]
    language = "Python" if name == "python_source_roles" else "English"
    assert language in told["language"]
    vocabulary = vocabulary_of(hub.describe(name))
    assert len(told["example"].split()) > 2
    not_read = {"def", "(", ")", ":", "return"} if language == "Python" else set()
    assert set(unknown_parts(vocabulary, told["example"])) == not_read
    assert unknown_parts(vocabulary, told["passage"]) == []
    if told["has_gradients"]:
        assert len(vocabulary.encode(told["passage"])) > 40


@pytest.mark.parametrize("name", tiny_checkpoints.NAMES)
def test_any_other_model_gets_a_text_of_words_that_it_knows(tmp_path, name):
    record = hub.describe(tiny_checkpoints.save(tmp_path, name))
    told = introduce(record, "language model")
    assert (told.summary, told.language) == ("A language model", "")
    assert told.example
    assert unknown_parts(vocabulary_of(record), told.example) == []


def test_a_model_on_own_files_names_its_corpus_and_its_languages():
    data = {"corpus": "parallel_text", "source_language": "xx", "target_language": "fr"}
    vocabulary = {"source": {"kind": "subword", "tokens": []}}
    told = introduce({"config": {"data": data}, "vocabulary": vocabulary}, "translator")
    assert told[:3] == ("A translator trained on parallel_text", "xx to French", "the")
