"""The death of a process, as far as it can be known afterwards.

Nobody but the parent of a process is told how it ended. What is left are traces: a note that the
interpreter ended in order, another boot of the machine, a zombie that nobody has waited for, the
kernel's count of processes killed for want of memory, and the kernel's log where it may be read.
Without a trace the cause is `unknown`.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from .journal_notes import Notes, boot, oom_kills, stat_fields

__all__ = ["Cause", "cause_of_death", "death"]

_LINES = 20_000
"""Most messages of the kernel's log that are read."""

_OUTSIDE = (
    "unknown: it left no trace of an exit, so it was killed from outside (SIGKILL, SIGTERM), called"
    " os._exit, or crashed in native code"
)


class Cause(NamedTuple):
    """A cause of death: `kind` for programs, `text` for people.

    `kind` is `exit` (the interpreter ended in order), `status` (an exit status), `signal`, `oom`
    (the kernel wanted memory), `restart` (of the machine), or `unknown`. `certain` is False for a
    conclusion from a count, which may concern another process of the same container.
    """

    kind: str
    text: str
    certain: bool = True


def death(notes: Notes, last_start: float | None, *, kernel_log: bool = False) -> dict[str, Any]:
    """Return everything that is known of a dead process, for the records of its open calls.

    last_start: start of its last call in epoch milliseconds. The result has `pid`, `program`,
    `last_seen` (the last sign of life) and `found` (now) in epoch milliseconds, `cause`, `text` and
    `certain`.
    """
    cause = cause_of_death(notes, kernel_log=kernel_log)
    ended = None if notes.end is None else notes.end.get("at")
    signs = [each for each in (notes.seen, last_start, ended) if isinstance(each, (int, float))]
    return {
        "pid": notes.facts.get("pid"),
        "program": notes.facts.get("program", ""),
        "last_seen": max(signs, default=None),
        "found": time.time_ns() / 1e6,
        "cause": cause.kind,
        "text": cause.text,
        "certain": cause.certain,
    }


def cause_of_death(notes: Notes, *, kernel_log: bool = False) -> Cause:
    """Return the cause of death that the traces show, the surest one first.

    kernel_log: read the kernel's log, too, which needs the right to do so.
    """
    facts = notes.facts
    if notes.end is not None:
        error = notes.end.get("error")
        how = f"with an unhandled {error}, exit status 1" if error else "in order"
        return Cause("exit", f"the interpreter ended {how}, while these calls were still open")
    with suppress(OSError):
        if facts.get("boot") not in (None, boot()):
            return Cause("restart", "the machine was restarted, or the process died before that")
    return (
        _zombie(facts)
        or (_in_kernel_log(facts) if kernel_log else None)
        or _out_of_memory(facts)
        or Cause("unknown", _OUTSIDE, certain=False)
    )


def _zombie(facts: Mapping[str, Any]) -> Cause | None:
    """Return the exit status that waits for the parent, if that has not asked for it yet."""
    try:
        fields = stat_fields(int(facts["pid"]))
        if fields[0] not in "ZX" or int(fields[19]) != facts["born"]:
            return None
        code = int(fields[49])
    except (OSError, ValueError, KeyError, IndexError):
        return None
    if number := code & 0x7F:
        return Cause("signal", f"killed by {_signal(number)}")
    return Cause("status", f"ended with exit status {code >> 8}")


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _out_of_memory(facts: Mapping[str, Any]) -> Cause | None:
    path, before = facts.get("cgroup"), facts.get("oom")
    now = oom_kills(path) if isinstance(path, str) else None
    if now is None or not isinstance(before, int) or now <= before:
        return None
    killed = now - before
    many = f"{killed} process{'' if killed == 1 else 'es'}"
    return Cause(
        "oom",
        f"probably out of memory: the kernel killed {many} of its cgroup since it began",
        False,
    )


def _in_kernel_log(facts: Mapping[str, Any]) -> Cause | None:
    pid = facts.get("pid")
    begun = facts.get("born")
    if not isinstance(pid, int) or not isinstance(begun, int):
        return None
    since = begun / os.sysconf("SC_CLK_TCK")
    killed = re.compile(rf"Killed process {pid} \(")
    crashed = re.compile(rf"\[{pid}\](?:: | )(segfault|trap|general protection)")
    for seconds, message in _kernel_log():
        if seconds < since:
            continue
        if killed.search(message):
            return Cause("oom", f"killed by the kernel, which was out of memory: {message[:200]}")
        if crashed.search(message):
            return Cause("signal", f"crashed in native code: {message[:200]}")
    return None


def _kernel_log() -> Iterator[tuple[float, str]]:
    """Yield the kernel's messages with their seconds since the boot, if this user may read them."""
    try:
        fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        for _ in range(_LINES):
            try:
                record = os.read(fd, 8192).decode(errors="replace")
            except BlockingIOError:
                return
            except BrokenPipeError:  # overwritten meanwhile: the next read goes on
                continue
            head, _, message = record.partition(";")
            with suppress(ValueError, IndexError):
                yield int(head.split(",")[2]) / 1e6, message.split("\n")[0]
    except OSError:
        return
    finally:
        os.close(fd)
