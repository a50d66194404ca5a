"""A place to end in."""

from pathlib import Path

import pytest
from ending import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)
