"""Fills the disk at the given directory and deletes half of the sessions there; see test_places."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import orjson
from store_records import START, record

from honeytrace.errors import StoreError
from honeytrace.store.errors import StoreFullError
from honeytrace.store.sqlite import SQLiteStore


def main(directory: Path) -> None:
    """Print the refusal, then whether half were deleted once there was some room."""
    ballast = directory / "ballast"
    ballast.write_bytes(b"x" * 20_000_000)
    store = SQLiteStore(directory / "x.db")
    stored, size = 0, 64
    while size:
        batch = [
            record(
                f"s{number:06}", start_time=START + number, inputs=orjson.dumps({"q": "w " * 5000})
            )
            for number in range(stored, stored + size)
        ]
        try:
            store.insert(batch)
            stored += size
        except StoreFullError:
            size //= 2
    try:
        store.delete(before=START + stored // 2)
    except StoreError as error:
        print(error)
    needed = os.path.getsize(f"{store.path}-wal") + 1_000_000
    os.truncate(ballast, 20_000_000 - needed)
    print(store.delete(before=START + stored // 2) == stored // 2)
    store.close()


main(Path(sys.argv[1]))
