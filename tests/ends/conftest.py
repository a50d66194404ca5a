"""A place to end in."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from ending import Place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.close()
