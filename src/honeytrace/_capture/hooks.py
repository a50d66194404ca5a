"""The hooks through which capture reaches the runtime, and the state of the recorder.

The recorder is in one of three states. *Unconfigured*: the first call that is to be recorded makes
the runtime configure. *Off*: nothing is recorded. *On*: the hooks are those of a configured
runtime. Capture knows nothing else about delivery.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from importlib import import_module
from itertools import count
from typing import Any, NamedTuple

from .ids import format_id
from .running import Running

discard: Callable[[Running], None] = deque[Any](maxlen=0).append
"""The destination of sessions that are not recorded. In C, so it works at the recursion limit."""


class Recorder(NamedTuple):
    """The functions of a configured runtime that capture calls.

    rate: the share of trees to keep; below 1.0, or if a function has its own, `sample` decides.
    sample: a root's own rate → the `_submit` of its tree: None for `submit`, or `discard`.
    submit: takes a finished session. keep: the same in C, for the recursion limit, where no Python
        function can be called.
    opened: journals a call that begins → its place, or None without a journal.
    update: takes later knowledge about a session, by id.
    encode: value, receipt of what was masked (appended to), name of the field → JSON.
    redact: error text → error text without secrets.
    session_name: the name of a block that gives none.
    """

    on: bool
    rate: float
    sample: Callable[[float | None], Callable[[Any], None] | None]
    submit: Callable[[Any], None]
    keep: Callable[[Any], object]
    opened: Callable[[Any], Any]
    update: Callable[[str, Mapping[str, Any]], None]
    encode: Callable[[object, list[str], str], bytes]
    redact: Callable[[str], str]
    session_name: str


class Switch:
    """A switch that a traced function reads first; `on` is False if nothing is recorded.

    It is a separate interpreted class, because Python reads its field four times as fast as a field
    of a compiled class.
    """

    __slots__ = ("on",)

    def __init__(self) -> None:
        self.on = True

    def __reduce__(self) -> Any:
        return "switch"


switch = Switch()
switches = [switch]
"""The switch, and those that traced functions read; reload.py adds them."""


def turn(*, on: bool) -> None:
    """Turn every switch on or off."""
    for each in switches:
        each.on = on


class Hooks:
    """The fields of the `Recorder` in force, and the clock and the counter that make ids.

    `clock_ns() + offset_ns` is the wall clock in ns, as measured with the last batch. A root takes
    the wall clock itself and hands its offset to its children: durations come from a clock that
    never jumps, and dates follow the system's, also after a pause of the machine.
    """

    __slots__ = (
        "adopt",
        "clock_ns",
        "configured",
        "encode",
        "keep",
        "offset_ns",
        "opened",
        "rate",
        "recorder",
        "redact",
        "sample",
        "session_name",
        "submit",
        "tick",
        "unrecorded",
        "update",
    )

    def __init__(self) -> None:
        self.recorder: Recorder | None = None
        self.configured = False
        self.adopt: Callable[[Any, Any], Any] | None = None
        """A call that begins and the session it begins in → its parent. Set only while spans of
        other tracers nest with sessions; it never raises."""
        self.clock_ns: Callable[[], int] = time.perf_counter_ns
        self.offset_ns = 0
        self.unrecorded = 0
        """Number of calls and updates that honeytrace failed to record."""
        self.tick: Callable[[], int] = int
        self.use(None)
        self.reseed()
        self.sync_clock()

    @property
    def state(self) -> str:
        """`"unconfigured"`, `"off"` or `"on"`."""
        if not self.configured:
            return "unconfigured"
        return "on" if switch.on else "off"

    def configure(self) -> None:
        """Make the runtime configure from the environment and call `use`.

        The runtime is looked up by name. These hooks are held from C, which the garbage collector
        does not see. A reference would keep the runtime alive past the end of the program, and with
        it a sink or a redact function of the program, whose files would then not be flushed.
        """
        import_module("honeytrace._runtime.runtime").begin()

    def use(self, recorder: Recorder | None) -> None:
        """Record through this recorder from now on; None restores the state at import."""
        self.recorder = recorder
        self.configured = recorder is not None
        recorder = recorder or _UNCONFIGURED
        turn(on=recorder.on)
        self.rate = recorder.rate
        self.sample = recorder.sample
        self.submit, self.keep = recorder.submit, recorder.keep
        self.opened = recorder.opened
        self.update = recorder.update
        self.encode = recorder.encode
        self.redact = recorder.redact
        self.session_name = recorder.session_name

    def saved(self) -> tuple[Any, ...]:
        """Return the recorder in force, for `restore`."""
        clock = self.clock_ns, self.offset_ns, self.tick
        return self.recorder, self.adopt, self.opened, self.update, self.unrecorded, *clock

    def restore(self, saved: tuple[Any, ...]) -> None:
        """Record through an earlier recorder again."""
        recorder, self.adopt, opened, update, self.unrecorded, *clock = saved
        self.clock_ns, self.offset_ns, self.tick = clock
        self.use(recorder)
        self.opened, self.update = opened, update

    def reseed(self) -> None:
        """Restart the counter in ids from a random number, and that of losses: at import, and in a
        forked child."""
        self.unrecorded = 0
        self.tick = count(int.from_bytes(os.urandom(8), "big") >> 2).__next__

    def sync_clock(self) -> None:
        """Measure the offset between the clock and the system's date again."""
        self.offset_ns = time.time_ns() - self.clock_ns()


def _configured(name: str) -> Callable[..., Any]:
    """Return a hook that configures first, and then calls the configured hook of this name."""

    def call(*args: Any) -> Any:
        hooks.configure()
        if not hooks.configured:
            raise RuntimeError("honeytrace is not configured")
        return getattr(hooks, name)(*args)

    return call


_UNCONFIGURED = Recorder(
    on=True,
    rate=1.0,
    sample=_configured("sample"),
    submit=_configured("submit"),
    keep=_configured("keep"),
    opened=_configured("opened"),
    update=_configured("update"),
    encode=_configured("encode"),
    redact=_configured("redact"),
    session_name="session",
)
"""The hooks before configuration. Sessions begun before call them; otherwise `begin` configures."""

hooks = Hooks()


def new_id() -> str:
    """Return a fresh session id: UUIDv7 text."""
    return format_id(hooks.clock_ns() + hooks.offset_ns, hooks.tick())
