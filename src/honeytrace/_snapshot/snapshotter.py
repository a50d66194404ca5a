"""The snapshot: a Python value as JSON bytes *now*, so that later mutation cannot leak in.

Two routes with one result. The fast route proves at C speed that a value is plain JSON within the
limits and without a sensitive key, and hands it to orjson whole. Everything else takes the exact
route, `_exact`: a walk that renders what JSON has no word for, redaction, cutting to size.
tests/snapshot/test_snapshot_properties.py holds the two together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from gc import is_tracked
from typing import Any, Final

from .._capture.context import paused
from .._compiled import native, prefer
from .._interrupts import interrupts
from .._lazy import orjson
from .exact import tree_of
from .limits import SCALARS, Limits, room_for
from .redact import DEFAULT, Redactor
from .rules import Rules
from .truncate import fit

_MOST_NAMES: Final = 4096  # harmless keys remembered
_LONGEST_NAME: Final = 128
_FEW: Final = 16  # members up to which a loop beats set(map(type, …))
_SHALLOW: Final = 4  # levels up to which the same holds for looking one by one
_ROWS: Final[set[type]] = {dict}
_MOST_BYTES: Final = 2**62
_BUFFER: Final = 65_536  # orjson's results keep up to 16 KB however short: these are copied


_LIMITS: Final = Limits()


class FastRoute:
    """What the fast route uses."""

    __slots__ = ("_fast", "_harmless", "_max_bytes", "_max_depth", "_max_items", "_room")

    _fast: bool
    """False where the redactor wants to see values."""
    _harmless: set[object]
    """Keys that were found to name no secret."""
    _max_bytes: int
    _max_depth: int
    _max_items: int
    _room: int


if native is not None:
    FastRoute = native.FastRoute  # type: ignore[misc]


class Snapshotter(FastRoute):
    """Turns values into JSON bytes under fixed limits and a redactor (None: no masking)."""

    __slots__ = ("_limits", "_most_names", "_redactor", "_rules")

    _rules: Rules
    """How each type is shown."""

    def __init__(
        self,
        limits: Limits = _LIMITS,
        redactor: Redactor | None = DEFAULT,
        rules: Rules | None = None,
    ) -> None:
        limits.check()
        self._rules = Rules() if rules is None else rules
        self._limits = limits
        self._redactor = redactor
        self._fast = redactor is None or not redactor.reads_values
        self._max_bytes, self._max_depth, self._max_items = limits
        # Never more than max_items, so a dict of known keys is never over that bound.
        self._most_names = min(_MOST_NAMES, limits.max_items)
        self._harmless = set()
        self._room = room_for(limits)

    def encode(self, value: object, receipt: list[str] | None = None, path: str = "") -> bytes:
        """JSON of `value`, at most `max_bytes` long. Never raises; an interrupt passes.

        `receipt` gains the paths of what was masked, each beginning with `path`: `inputs.api_key`.
        """
        kind = type(value)
        try:
            # CPython before 3.14 tracks no dict that holds atoms alone: only its keys are to check.
            if self._fast and (
                kind in SCALARS
                or (kind is dict and not is_tracked(value) and self._harmless.issuperset(value))  # type: ignore[arg-type]
                or self._is_plain(value, self._max_depth)
            ):
                out = orjson.dumps(value)
                if len(out) <= self._max_bytes:
                    return b"%b" % out if len(out) < _BUFFER else out
        except BaseException as error:  # orjson refuses (surrogates, huge ints), or a key's hash
            if interrupts(error):
                raise
        return self._slowly(value, receipt, path)

    def _is_plain(self, value: Any, depth: int) -> bool:
        """True only when the exact route would change nothing, length aside.

        Small containers are looked through one by one, what is long or deep by `_is_plain_below`.
        """
        known = self._harmless.issuperset
        kind = type(value)
        if kind is dict:
            if not (known(value) or self._learn(value)):
                return False
            if not is_tracked(value):
                return depth > 0 or not value
            members = value.values()
        elif kind is list or kind is tuple:
            members = value
        else:
            return kind in SCALARS
        few = min(_FEW, self._max_items)
        if len(members) > few or depth <= max(self._max_depth - _SHALLOW, 0):
            return self._is_plain_below(value, depth)
        for member in members:
            kind = type(member)
            if not (
                kind in SCALARS
                or (kind is dict and depth > 1 and not is_tracked(member) and known(member))
                or self._is_plain(member, depth - 1)
            ):
                return False
        return True

    def _is_plain_below(self, value: object, depth: int) -> bool:
        """The same for all members of a level at once."""
        known = self._harmless.issuperset
        room, few = self._room, min(_FEW, self._max_items)
        level: list[Any] = [value]
        while level:
            room -= len(level)
            if room < 0 or depth < 0:
                return False
            depth -= 1
            below: list[Any] = []
            for member in level:
                kind = type(member)
                if kind is dict:
                    if not (known(member) or self._learn(member)):
                        return False
                    if is_tracked(member):
                        below += member.values()
                    elif depth < 0 and member:
                        return False
                elif kind in SCALARS:
                    continue
                elif kind is list or kind is tuple:
                    inner = member if len(member) <= few else self._sift(member)
                    if inner is None or depth < 1:
                        return False
                    below += inner
                else:
                    return False
            level = below  # breadth first: one loop for all the rows of a list
        return True

    def _sift(self, run: Collection[Any]) -> Collection[Any] | None:
        """What of a long list is left to look at, or None when it is not plain."""
        if len(run) > self._max_items:
            return None
        kinds = set(map(type, run))
        if kinds <= SCALARS:
            return ()
        if kinds != _ROWS:
            return run
        keys: set[object] = set().union(*run)
        if not (keys <= self._harmless or self._learn(keys)):
            return None
        return run if any(map(is_tracked, run)) else ()

    def _learn(self, keys: Iterable[object]) -> bool:
        """Whether all keys are harmless; if so they are remembered."""
        new = set(keys)
        for key in new:
            if type(key) is not str or len(key) > _LONGEST_NAME:
                return False
            if self._redactor is not None and self._redactor.sensitive(key):
                return False
        if len(self._harmless) + len(new) > self._most_names:
            self._harmless.clear()
        if len(new) > self._most_names:
            return False
        self._harmless.update(new)
        return True

    def _slowly(self, value: object, receipt: list[str] | None, path: str) -> bytes:
        with paused():  # what a value runs to show itself is not the program's call
            try:
                return self._exact(value, receipt, path)
            except Exception as error:  # recording never raises into the program
                if interrupts(error):
                    raise
                return orjson.dumps(f"<not recorded: {type(error).__name__:.40}>")

    def _exact(self, value: object, receipt: list[str] | None, path: str) -> bytes:
        plain = Probe(self).json if self._fast else None
        tree = tree_of(value, self._limits, self._redactor, self._rules, receipt, path, plain)
        return fit(tree, self._limits.max_bytes)


class Probe(Snapshotter):
    """The fast route alone, for the members of what takes the exact one."""

    __slots__ = ()

    def __init__(self, outer: Snapshotter) -> None:
        super().__init__(outer._limits, outer._redactor, outer._rules)
        self._harmless = outer._harmless
        self._max_bytes = _MOST_BYTES  # what is too long is cut later

    def json(self, value: object, depth: int) -> bytes | None:
        """Return the JSON of `value`; None when it is no plain JSON, or deeper than `depth`."""
        self._max_depth = depth
        return self.encode(value) or None

    def _slowly(self, value: object, receipt: list[str] | None, path: str) -> bytes:
        return b""


prefer(Snapshotter, "encode")
