"""Damage to bytes, by a seeded generator: what a disk, an editor or an enemy does to a file."""

import random
from collections.abc import Callable, Sequence

SPECIAL = (
    *(b"\0", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\r", b"\r\n", b"\n", b"\n\n\n", b"\t"),
    *(b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x80\xa8", b"\xc2\x85"),
    *(b"\x1b[2J", b"\x1c", b"\x0b", b"\x0c", b"\xc2\xa0", b"\xe2\x80\xae", b"\\ud83d", b"\\u0000"),
    *(b'"', b'"""', b"'", b",", b";", b":", b"{", b"}", b"[", b"]", b"\\", b"%s", b"="),
    *(b"-1", b"0", b"99999999999999999999", b"1e999", b"-1e999", b"nan", b"inf", b"-inf", b"1_0"),
    *(b"NaN", b"Infinity", b"null", b"true", b"0x10", b"\xd9\xa3", b"\xc2\xb2", b"<unk>", b"</s>"),
    *(b"[" * 5000, b'{"a":' * 5000, b"9" * 5000, b"a" * 200_000, b" " * 5000, b"\n" * 5000),
)


def _flip(draw: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    for _ in range(draw.choice((1, 1, 2, 8))):
        if data:
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)


def _insert(draw: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    at = draw.randint(0, len(data))
    data[at:at] = draw.choice(SPECIAL)


def _put_first(draw: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    data[:0] = draw.choice(SPECIAL)


def _overwrite(draw: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    special = draw.choice(SPECIAL)[: max(1, len(data))]
    at = draw.randint(0, len(data))
    data[at : at + len(special)] = special


def _random_bytes(draw: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    at = draw.randint(0, len(data))
    data[at:at] = draw.randbytes(draw.choice((1, 4, 64)))


def _delete(draw: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    start, length = draw.randint(0, len(data)), draw.choice((1, 2, 8, 64))
    del data[start : start + length]


def _repeat(draw: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    start = draw.randint(0, len(data))
    part = data[start : start + draw.choice((1, 8, 64, 512))]
    data[start:start] = part * draw.choice((1, 2, 50))


def _cut(draw: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    del data[draw.randint(0, len(data)) :]


def _splice(draw: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    other = draw.choice(others)
    data[draw.randint(0, len(data)) :] = other[draw.randint(0, len(other)) :]


def _change_a_word(draw: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    """Puts something special in the place of one of the words, so that the form stays whole."""
    words = bytes(data).split(b" ")
    words[draw.randrange(len(words))] = draw.choice(SPECIAL)
    data[:] = b" ".join(words)


def _change_a_line(draw: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    """Swaps, doubles or drops lines."""
    lines = bytes(data).split(b"\n")
    first, second = (draw.randrange(len(lines)) for _ in range(2))
    kind = draw.randrange(3)
    if kind == 0:
        lines[first], lines[second] = lines[second], lines[first]
    elif kind == 1:
        lines.insert(first, lines[second])
    else:
        del lines[first]
    data[:] = b"\n".join(lines)


_KINDS: tuple[Callable[[random.Random, bytearray, Sequence[bytes]], None], ...] = (
    _flip,
    _insert,
    _put_first,
    _overwrite,
    _random_bytes,
    _delete,
    _repeat,
    _cut,
    _splice,
    _change_a_word,
    _change_a_line,
)


def mutate(draw: random.Random, sample: bytes, others: Sequence[bytes]) -> bytes:
    """Returns a sample with one to three kinds of damage.

    Args:
        draw: where chance comes from.
        sample: a sound file's bytes.
        others: samples that parts may come from.
    """
    data = bytearray(sample)
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        draw.choice(_KINDS)(draw, data, others)
    return bytes(data)
