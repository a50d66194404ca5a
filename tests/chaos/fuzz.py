"""Read journals that an enemy wrote, over and over, in memory: `python fuzz.py SEED COUNT`.

Nothing but `DamagedError` may leave the reader, or `NewerFormatError` where the version itself was
changed. What it yields can be stored or is refused by name, and memory does not grow. Says how many
variants were found damaged.
"""

from __future__ import annotations

import os
import random
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import orjson

from honeytrace._durability import journal_reader as _reader
from honeytrace._durability.journal_format import (
    BLOCK,
    COMMIT,
    DONE,
    HEAD,
    HEADER,
    KIN,
    OPEN,
    SLOT,
    SMALLEST,
    STATIC,
    UPDATE,
    NewerFormatError,
)
from honeytrace._durability.journal_reader import DamagedError, Reader
from honeytrace._record.record import Item
from honeytrace.sinks.store import StoreSink
from honeytrace.store.sqlite import SQLiteStore
from journalled import die, recorded_kinds, recording

SIZE = SMALLEST // BLOCK * BLOCK
GROWTH = 64 << 20
"""Bytes by which the process may grow, whatever the lengths in a file of 60 KiB say."""
HOSTILE: list[Any] = [
    None, True, -1, 2**63, 1e308, "", "\0", "x" * 300, [], {}, [[]], {"": {}}, ["a", "b", "c", "d"],
    [1, 2, 3, 4], [None, None, None, 5], ["id", {"metrics": "[1]"}], ["id", {"metrics": "{"}],
    ["id", {"outputs": "[[[[[[["}], ["id", {"no such field": "1"}], ["id", {"end_time": "{}"}],
    [["id"], {"metrics": "{}"}], ["n", "p", "s", "chain", {}, []], [1, 2, 3, 4, 5, 6],
    ["n", "p", "s", "chain", {"metrics": "[]", "config": "x"}, [1]],
    [None, None, None, None, ["n", "p", "s", "chain", {"config": "{}"}, []]],
    ["chosen", "parent", "root", ["masked"]], [0, [], {}, "masked"],
]  # fmt: skip


BORDER = SIZE // 3 // SLOT * SLOT
"""Where the blocks of our journals begin."""


def originals() -> list[bytes]:
    """Journals as we write them, some with a call that was running."""
    found = []
    with tempfile.TemporaryDirectory() as directory:
        for kind in recorded_kinds:
            with recording(Path(directory), SIZE) as recorder:
                recorded_kinds[0](recorder)
                kind(recorder)
                with recorder.call("running", inputs={"x": "y" * 700}):
                    die(recorder.journal)
                found.append(Path(recorder.journal.path).read_bytes())
                assert HEADER.unpack(found[-1][: HEADER.size])[1:3] == (SIZE, BORDER)
    return found


def flip(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    data[at] ^= 1 << chance.randrange(8)


def noise(data: bytearray, chance: random.Random) -> None:
    size = chance.choice([1, 4, 8, 64, SLOT])
    at = chance.randrange(len(data) - size) // 8 * 8
    data[at : at + size] = chance.choice([bytes(size), b"\xff" * size, chance.randbytes(size)])


def swap(data: bytearray, chance: random.Random) -> None:
    """One slot in another's place."""
    a, b = (chance.randrange(len(data) // SLOT) * SLOT for _ in "ab")
    data[a : a + SLOT], data[b : b + SLOT] = data[b : b + SLOT], data[a : a + SLOT]


def cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


def header(data: bytearray, chance: random.Random) -> None:
    """Another size and border, with a checksum that says they are right."""
    numbers = [0, 1, SLOT, len(data), len(data) - SLOT, 2**40, 2**64 - 1]
    head = data[:24] + b"".join(chance.choice(numbers).to_bytes(8, "little") for _ in "sb")
    data[: HEADER.size] = bytes(head) + _reader.crc32(bytes(head)).to_bytes(4, "little")


def lengths(data: bytearray, chance: random.Random) -> None:
    """A slot that lies about where its parts are and how long they are."""
    at = used(data, chance) + COMMIT.size + 4 * chance.randrange(4)
    number = chance.choice([0, 1, 300, SLOT, len(data), len(data) - 8, 2**31, 2**32 - 1])
    data[at : at + 4] = number.to_bytes(4, "little")


def content(data: bytearray, chance: random.Random) -> None:
    """A slot with JSON of a shape that we never write."""
    at = used(data, chance)
    extra = orjson.dumps(chance.choice(HOSTILE)) if chance.random() < 0.9 else b"[" * 350
    inputs = chance.choice([b"", b"{}", b"[]", b'"x"', b"{", b"nul", b'{"a":' * 20])
    times = [0, 1, -1, 2**62, -(2**63), 1_700_000_000_000_000_000]
    head = HEAD.pack(
        chance.choice([0, 0, 1, 2, 4_000]), 0, len(extra), len(inputs),
        chance.choice(times), chance.choice([0, 7, 2**64 - 1]),
    )  # fmt: skip
    kin = chance.choice([bytes(KIN.size), chance.randbytes(KIN.size)])
    data[at + 8 : at + SLOT] = (head + kin + extra + inputs).ljust(SLOT - 8, b"\0")[: SLOT - 8]
    data[at] = chance.choice([OPEN, DONE, STATIC, UPDATE])


def used(data: bytearray, chance: random.Random) -> int:
    """A slot in use, or else any."""
    slots = range(SLOT, max(min(len(data), BORDER), 2 * SLOT), SLOT)
    return chance.choice([at for at in slots if data[at : at + 1] != b"\0"] or list(slots))


def forge(data: bytearray, fd: int) -> None:
    """Give every slot the checksum that the reader would want, as far as it reads it at all."""
    wanted = 0

    def overhear(*arguments: Any) -> int:
        nonlocal wanted
        wanted = adler32(*arguments)
        return wanted

    adler32, _reader.adler32 = _reader.adler32, overhear
    try:
        reader = object.__new__(Reader)
        reader._fd, reader._size, reader._border = fd, len(data), BORDER
        reader._checksum = adler32
        for at in range(SLOT, BORDER, SLOT):
            state = data[at]
            if state in (DONE, STATIC, UPDATE):
                reader._owners = {}
                try:
                    reader._slot(at, state)
                except DamagedError:
                    data[at : at + 8] = (wanted << 8 | state).to_bytes(8, "little")
    finally:
        _reader.adler32 = adler32


MUTATIONS = [flip, flip, noise, swap, cut, header, lengths, lengths, content, content]


def read(fd: int) -> tuple[list[Item], bool]:
    """What recovery would deliver, and whether it would set the file aside."""
    try:
        reader = Reader(fd)
    except DamagedError:
        return [], True
    except NewerFormatError:  # a flipped bit makes a 2 a 3: recovery leaves the file where it is
        return [], True
    items = [item for _, item in reader.items()]
    return items, bool(reader.damaged)


def main(seed: int, count: int) -> None:
    chance, good = random.Random(seed), originals()
    fd = os.memfd_create("journal") if hasattr(os, "memfd_create") else tempfile.mkstemp()[0]
    damaged = stored = peak = 0
    with tempfile.TemporaryDirectory() as directory:
        sink = StoreSink(SQLiteStore(Path(directory, "sessions.db")))
        for n in range(count):
            data = bytearray(chance.choice(good))
            for _ in range(chance.randrange(1, 6)):
                if len(data) > 2 * SLOT:
                    chance.choice(MUTATIONS)(data, chance)
            os.ftruncate(fd, len(data))
            os.pwrite(fd, data, 0)
            if n % 2 and len(data) == SIZE:
                forge(data, fd)
                os.pwrite(fd, data, 0)
            items, bad = read(fd)
            damaged += bad
            if n % 50 == 0 and items:
                fate = sink.deliver(items, timeout=60)
                assert not fate.retry, fate
                stored += len(items) - len(fate.refused)
            if n == min(count, 500) - 1:
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        sink.close()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) * 1024
    assert grown < GROWTH, grown
    print(damaged, stored)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
