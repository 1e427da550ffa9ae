"""Examples of validation and test that training has, too, are told; so are labels that it lacks."""

from labeled_texts import labeled_texts, write_csv

from zoo.data.config import LabeledDataConfig, TaggedDataConfig
from zoo.data.loading import load_labeled_corpus, load_tagged_corpus
from zoo.tasks.encoded_labeled import encode_labeled_corpus
from zoo.tasks.encoded_tagged import encode_tagged_corpus

REST = " also occur in training, which makes scores better than they should be"


def count_in(split, train):
    return f"{sum(one in set(train) for one in split)} of {len(split)}"


def test_repeated_texts_are_counted_in_each_split(tmp_path):
    path = write_csv(tmp_path / "texts.csv", labeled_texts(40) * 3, ("text", "label"))
    data = LabeledDataConfig("table_file", str(path), cache_directory=str(tmp_path))
    train, validation, test = (
        list(split.texts) for split in load_labeled_corpus(data).splits.values()
    )
    told = f"{count_in(validation, train)} validation texts and {count_in(test, train)} test texts"
    assert f"{told}{REST}" in encode_labeled_corpus(data).notes
    write_csv(path, labeled_texts(40), ("text", "label"))
    assert encode_labeled_corpus(data).notes == ()


def test_labels_of_test_texts_that_training_lacks_are_told_before_training(tmp_path):
    write_csv(tmp_path / "train.csv", labeled_texts(40), ("text", "label"))
    test = [("it rains", "rain"), ("it snows", "snow"), ("a film", "good")]
    write_csv(tmp_path / "test.csv", test, ("text", "label"))
    [note] = encode_labeled_corpus(
        LabeledDataConfig("table_file", str(tmp_path), cache_directory=str(tmp_path / "cache"))
    ).notes
    assert note.startswith("2 of 3 test texts have labels that training lacks, such as 'rain', 's")


def test_a_repeated_sentence_is_told_whatever_its_tags(tmp_path):
    for split, words in (("train", "abc"), ("validation", "de"), ("test", "cf")):
        lines = (f"the\tO\n{word}\t{'O' if split == 'test' else 'B-x'}\n" for word in words)
        (tmp_path / f"{split}.conll").write_text("\n".join(lines))
    data = TaggedDataConfig(
        corpus="conll_file", directory=str(tmp_path), cache_directory=str(tmp_path / "cache")
    )
    assert len(load_tagged_corpus(data).splits["test"]) == 2
    assert f"1 of 2 test sentences{REST}" in encode_tagged_corpus(data).notes
