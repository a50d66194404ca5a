"""Guards over mapped journals: a file that is truncated does not end an interpreted program.

A store into a page that the file no longer has raises SIGBUS. The handler puts anonymous memory in
place of the whole map, and the store is repeated. `memory.h` does the same for the compiled writer,
in C, which is why it also bears faults of threads that run no Python. Any other SIGBUS gets the
action that was in force before.
"""

from __future__ import annotations

import mmap
import signal
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_KNOWN = sys.platform in ("linux", "darwin") and sys.maxsize > 1 << 32
"""True where the layouts below hold: those of 64-bit glibc, musl and macOS."""
_ADDRESS = 24 if sys.platform == "darwin" else 16
"""Offset of `si_addr` in a `siginfo_t`; the code is the third integer of it."""
_FLAGS = 0x41 if sys.platform == "darwin" else 0x48000004
"""SA_SIGINFO and SA_ONSTACK, on Linux SA_NODEFER, too."""

_guards: dict[int, Guard] = {}
_install: list[Callable[[], object]] = []


class Guard:
    """A guard over one map. `is_hit` is True once anonymous memory stands in its place."""

    def __init__(self, memory: mmap.mmap) -> None:
        self.is_hit = False
        self._base = 0
        if not _KNOWN:
            return
        try:
            import ctypes  # 5 ms, and missing in some builds of Python
        except ImportError:
            return
        view = ctypes.c_char.from_buffer(memory)
        self._base, self.size = ctypes.addressof(view), len(memory)
        del view  # a map with a view cannot be closed
        _guards[self._base] = self
        _catch(ctypes)

    def release(self) -> None:
        """Stop guarding, before the map is closed."""
        _guards.pop(self._base, None)


def _catch(ctypes: Any) -> None:
    """Install the handler once; it stays for the life of the process."""
    if _install:
        return

    class Action(ctypes.Structure):  # type: ignore[misc]
        _fields_ = (
            ("handler", ctypes.c_void_p),
            ("mask", ctypes.c_char * (4 if sys.platform == "darwin" else 128)),
            ("flags", ctypes.c_int),
            ("restorer", ctypes.c_void_p),
        )

    libc: Any = ctypes.PyDLL(None)  # keeps the GIL, which the storing thread holds
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
    earlier = Action()
    fixed = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x10
    writable = mmap.PROT_READ | mmap.PROT_WRITE

    def on_bus_error(number: int, info: int, context: int) -> None:
        code = ctypes.c_int.from_address(info + 8).value
        address = ctypes.c_void_p.from_address(info + _ADDRESS).value or 0
        for base, guard in list(_guards.items()):
            if code > 0 and 0 <= address - base < guard.size:
                libc.mmap(base, guard.size, writable, fixed, -1, 0)
                guard.is_hit = True
                return
        libc.sigaction(number, ctypes.byref(earlier), None)  # the store is repeated, and not caught
        if code <= 0:
            signal.raise_signal(number)

    handler = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(on_bus_error)
    _install.append(handler)
    action = Action(handler=ctypes.cast(handler, ctypes.c_void_p), flags=_FLAGS)
    libc.sigaction(signal.SIGBUS, ctypes.byref(action), ctypes.byref(earlier))
