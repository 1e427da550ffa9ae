"""A corpus in a bucket is read as one on disk."""

import pytest
from fake_bucket import fake_bucket

from zoo.buckets import Bucket
from zoo.data.config import TextConfig
from zoo.data.corpora import Text, find_corpus
from zoo.data.files import find_files, fingerprint
from zoo.errors import UserError


@pytest.mark.parametrize("end", ["", "/train.txt"])
def test_files_in_a_bucket_are_those_on_disk(tmp_path, end):
    corpus = find_corpus("text_file", Text)
    local = tmp_path / "texts"
    local.mkdir()
    for name in ("train.txt", "valid.txt", "test.txt"):
        (local / name).write_text(f"{name} of mine\n")
    options = {"corpus": "text_file", "cache_directory": str(tmp_path / "cache")}
    with fake_bucket():
        bucket = Bucket("gs://bucket/texts")
        for path in local.iterdir():
            bucket.store(path, path.name)
        config = TextConfig(directory=f"gs://bucket/texts{end}", **options)
        found = find_files(corpus, config)
        wanted = find_files(corpus, TextConfig(directory=f"{local}{end}", **options))
        assert found.keys() == wanted.keys()
        for key, paths in found.items():
            assert [path.read_text() for path in paths] == [
                path.read_text() for path in wanted[key]
            ]
        assert fingerprint(corpus, found, {}) == fingerprint(corpus, wanted, {})
        with pytest.raises(UserError, match="there is nothing at gs://bucket/none"):
            find_files(corpus, TextConfig(directory="gs://bucket/none", **options))
