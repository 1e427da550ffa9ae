"""Files are checked one by one, and no path leads out of their directory."""

import hashlib
import json
import os

import pytest

from zoo.training.checksums import DamagedCheckpoint, agrees, compute, list_files, verify

SHA256_OF_NOTHING = hashlib.sha256(b"").hexdigest()


@pytest.fixture
def directory(tmp_path):
    directory = tmp_path / "checked"
    (directory / "folder").mkdir(parents=True)
    (directory / "text").write_text("some text")
    (directory / "folder/empty").write_text("")
    write_sums(directory, compute(directory))
    return directory


def write_sums(directory, sums):
    (directory / "checksums.json").write_text(json.dumps(sums))


def fault(directory, required=()):
    with pytest.raises(DamagedCheckpoint) as caught:
        verify(directory, required=required)
    message = str(caught.value)
    assert message.startswith(f"{directory} is damaged: ")
    assert "\n" not in message
    return message.removeprefix(f"{directory} is damaged: ")


def test_the_sums_of_all_files_are_their_sha256(directory):
    assert json.loads((directory / "checksums.json").read_text()) == {
        "folder/empty": SHA256_OF_NOTHING,
        "text": hashlib.sha256(b"some text").hexdigest(),
    }
    verify(directory, required=["text", "folder/empty"])


def test_an_unlisted_file_is_ignored_unless_it_is_required(directory):
    (directory / "other").write_text("")
    verify(directory, required=[])
    assert fault(directory, ["text", "other"]) == "checksums.json does not list other"


def test_each_fault_is_named(directory):
    (directory / "text").write_text("some tent")
    assert fault(directory) == "text differs from its checksum"
    (directory / "folder/empty").unlink()
    assert fault(directory) == "folder/empty is missing"
    (directory / "checksums.json").unlink()
    assert fault(directory) == "checksums.json is missing"


def test_a_directory_in_the_place_of_a_file_is_damage(directory):
    (directory / "text").unlink()
    (directory / "text").mkdir()
    assert "text" in fault(directory)


def test_every_byte_of_the_checksums_counts(directory):
    path = directory / "checksums.json"
    intact = path.read_bytes()
    for position in range(len(intact)):
        changed = bytearray(intact)
        changed[position] ^= 1
        path.write_bytes(bytes(changed))
        assert fault(directory)


@pytest.mark.parametrize("text", ["", "[]", "5", "nul", '{"text": 5}', "[" * 100_000])
def test_checksums_that_are_none_are_damage(directory, text):
    (directory / "checksums.json").write_text(text)
    assert fault(directory)


@pytest.mark.parametrize("name", ["/dev/null", "../outside", "folder/../../outside", "a/../text"])
def test_a_listed_path_out_of_the_directory_is_refused(directory, name):
    (directory.parent / "outside").write_text("")
    write_sums(directory, {name: SHA256_OF_NOTHING})
    assert fault(directory) == f"{name} leads out of the directory"


def test_a_path_with_a_nul_is_refused(directory):
    write_sums(directory, {"a\0b": SHA256_OF_NOTHING})
    assert "null" in fault(directory)


@pytest.mark.parametrize("listed", [True, False])
def test_a_link_out_of_the_directory_is_refused(directory, listed):
    outside = directory.parent / "outside"
    outside.write_text("")
    (directory / "link").symlink_to(outside)
    write_sums(directory, {"link": SHA256_OF_NOTHING} if listed else {})
    assert fault(directory) == "link leads out of the directory"


def test_a_directory_that_is_a_link_out_is_refused(directory):
    (directory / "folder").rename(directory.parent / "folder")
    (directory / "folder").symlink_to(directory.parent / "folder")
    assert fault(directory) == "folder leads out of the directory"


def test_a_name_that_only_begins_like_the_directory_is_outside(directory):
    sibling = directory.with_name("checked2")
    sibling.write_text("")
    (directory / "link").symlink_to(sibling)
    assert fault(directory) == "link leads out of the directory"


def test_links_that_stay_inside_are_sound(directory):
    (directory / "link").symlink_to(directory / "text")
    sums = json.loads((directory / "checksums.json").read_text())
    write_sums(directory, {**sums, "link": sums["text"]})
    link = directory.with_name("link to all")
    link.symlink_to(directory)
    verify(link, required=["link"])


@pytest.mark.parametrize("name", ["checksums.json", "text"])
def test_a_pipe_is_not_waited_for(directory, name):
    (directory / name).unlink()
    os.mkfifo(directory / name)
    assert fault(directory) == f"{name} is not a regular file"
    assert not agrees(directory, "text")


def test_sums_that_lie_elsewhere_are_not_read(directory, tmp_path):
    (directory / "checksums.json").rename(tmp_path / "elsewhere")
    (directory / "checksums.json").symlink_to(tmp_path / "elsewhere")
    assert fault(directory) == "checksums.json leads out of the directory"
    assert not agrees(directory, "text")


def test_an_unlisted_file_that_lies_elsewhere_does_not_agree(directory, tmp_path):
    (tmp_path / "secret").write_text("not to be shown")
    (directory / "card.md").symlink_to(tmp_path / "secret")
    assert not agrees(directory, "card.md")


@pytest.mark.parametrize("place", ["/", "."])
def test_a_link_to_a_directory_is_not_walked_through(directory, place):
    (directory / "more").symlink_to(place)
    assert sorted(list_files(directory)) == ["checksums.json", "folder/empty", "more", "text"]
