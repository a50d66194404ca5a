"""The viewer's tests in a browser, over PostgreSQL and over ClickHouse (chdb).

They are those of `tests/viewer`. By default the ones run in which the engine has a part;
`HONEYTRACE_EVERY_ENGINE=1` runs all of them.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
import test_viewer_browser
import test_viewer_list_tools
import test_viewer_overview

pytestmark = pytest.mark.browser

_BROWSER: dict[str, Any] = {
    name: test
    for module in (test_viewer_browser, test_viewer_list_tools, test_viewer_overview)
    for name, test in vars(module).items()
    if name.startswith("test_")
    and "page" in test.__code__.co_varnames
    # ClickHouse counts all sessions, whatever is asked.
    and name != "test_conditions_that_the_sums_do_not_know_say_what_they_count"
}

_BY_DEFAULT = (
    "test_from_the_list_to_the_call_and_back_with_feedback",
    "test_sessions_appear_while_a_pipeline_runs",
    "test_rows_change_while_they_are_looked_at",
    "test_a_run_grows_while_it_is_looked_at",
    "test_a_stretch_marked_with_the_brush_is_the_period",
)

_ELSEWHERE = (
    "test_from_the_list_to_the_call_and_back_with_feedback",
    "test_sessions_appear_while_a_pipeline_runs",
)
"""Tests in which another process uses the store; chdb lives in one process."""

globals().update(
    _BROWSER
    if os.environ.get("HONEYTRACE_EVERY_ENGINE")
    else {name: _BROWSER[name] for name in _BY_DEFAULT}
)


@pytest.fixture(autouse=True)
def _one_process(request: pytest.FixtureRequest) -> None:
    """Skip what chdb cannot do."""
    engine = request.node.callspec.params.get("store")
    if engine == "chdb" and request.node.originalname in _ELSEWHERE:
        pytest.skip("chdb is used by one process")
