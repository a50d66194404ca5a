"""Replay: a recorded call is run again, and its model calls are answered from the recording.

select      which functions a block answers; code: the place a record names, and its import
damage      values that a record does not hold whole
annotations evaluates annotations; values: JSON back to Python values by them
arguments   the arguments of a recorded call
outcomes    the result, the yields or the error of a recorded call
keys        equality of inputs
calls       the recorded calls of a session; cassette_file: of a file
tape        finds the answer to a call; messages: why there is none
dispatcher  stands in for traced functions; in_order: async answers in the order of their ends
elsewhere   calls that another process made
block       `replaying`; rerun: `replay`, `areplay`; call_plan: what a rerun would do
whole_streams   streams as cassettes need them, every yield
cassette    what a test records and answers; pytest_cassettes: the same for the pytest plugin
cases       one run as a file that a test checks
sets        many runs, scored before and after
"""

from __future__ import annotations

from typing import Any

from .block import Replaying, replaying
from .call_plan import Plan, plan
from .rerun import Replayed, areplay, replay
from .sets import ReplaySet, replay_all

__all__ = [
    "Plan",
    "ReplaySet",
    "Replayed",
    "Replaying",
    "areplay",
    "plan",
    "replay",
    "replay_all",
    "replaying",
]

_public: Any
for _public in (Plan, Replayed, Replaying, areplay, plan, replay, replay_all, replaying):
    _public.__module__ = "honeytrace"
del _public
