"""The snapshot: a Python value as JSON bytes *now*, so that later mutation cannot leak in.

Two routes with one result. The fast route proves that a value is plain JSON within the limits and
without a sensitive key, and hands it to orjson whole. Everything else takes the exact route: a walk
that renders what JSON has no word for, redaction, cutting to size. tests/snapshot holds the two
together.
"""

from __future__ import annotations

from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from .._base import cython

from .._base.interrupts import interrupts
from .._base.lazy import orjson
from .._capture.context import paused
from .exact import tree_of
from .gate_words import VALUES
from .limits import Limits, room_for
from .redact import DEFAULT, Redactor
from .rules import Rules
from .scalars import spelt
from .truncate import fit

if not cython.compiled:  # otherwise snapshotter.pxd has it in C
    from .._base.primitives import copied, place_of
    from .name_gate import hints, is_harmless_value, may_name
    from .text_gate import ends_like_name, suspicious

_compiled = cython.compiled
_MOST_NAMES = 4096  # harmless keys remembered
_LONGEST_NAME = 128
_MANY = 64  # keys: so many are ids rather than names, and not remembered
_SHORTEST_TEXT = 6  # characters: a shorter one binds no secret
_BUFFER = 65_536  # orjson's results keep up to 16 KB however short: these are copied
_MOST_BYTES = 2**62
_NOT_PLAIN = -2
_PAIR = 2
_INT_KEYS = 1 << 2  # orjson.OPT_NON_STR_KEYS, which is not imported here
_NONE = type(None)
_LIMITS = Limits()

# set by `_prepare` with the first snapshotter
_dumps: Any = None
_DATE: Any = None
_DATETIME: Any = None
_DECIMAL: Any = None
_UUID: Any = None
_ZONES: Any = ()


def _prepare() -> None:
    """Import orjson and its imports: 25 ms, too long for `import honeytrace`."""
    global _DATE, _DATETIME, _DECIMAL, _UUID, _ZONES, _dumps
    from decimal import Decimal
    from importlib import import_module
    from importlib.util import find_spec
    from uuid import UUID
    from zoneinfo import ZoneInfo

    # a test may have put classes of its own in `datetime`, but not in the C module behind it
    datetime: Any = import_module("_datetime" if find_spec("_datetime") else "datetime")
    _DATE, _DATETIME = datetime.date, datetime.datetime
    _ZONES = (datetime.timezone, ZoneInfo)
    _DECIMAL, _UUID = Decimal, UUID
    _dumps = orjson.dumps


class Snapshotter:
    """Turns values into JSON bytes under fixed limits and a redactor (None: no masking).

    _fast: False where the redactor wants to see values.
    _harmless: keys that were found to name no secret.
    _learned: how often keys were looked at; that may have run a program's code.
    _most_text: characters of strings that are looked at in all; more cannot fit.
    _familiar: keys found harmless, by their place in memory; only compiled code asks it.
    _own_names: the redactor has names of the program.
    _rest: what of `_room` a plain value left.
    _room: members that are looked at in all.
    _rules: how each type is shown.
    _spelt: orjson needs help: a Decimal, or a key that is a number.
    """

    __slots__ = (
        *("_familiar", "_fast", "_harmless", "_learned", "_limits", "_max_bytes"),
        *("_max_depth", "_max_items", "_most_names", "_most_text", "_own_names"),
        *("_redactor", "_rest", "_room", "_rules", "_spelt", "_text_room"),
    )

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
        self._harmless: set[object] = set()
        self._familiar: list[Any] = [None] * 64  # keys found harmless, by their place in memory
        self._learned = 0
        self._own_names = redactor is not None and not redactor.is_gated
        self._room = room_for(limits)
        self._rest = 0
        self._text_room, self._most_text = 0, 2 * limits.max_bytes
        self._spelt = False
        if _dumps is None:  # now, and not in the middle of a call: a fork may come there
            _prepare()

    def encode(self, value: object, receipt: list[str] | None = None, path: str = "") -> bytes:
        """Return JSON of `value`, at most `max_bytes` long. Never raises; an interrupt passes.

        `receipt` gains the paths of masked values, each beginning with `path`: `inputs.api_key`;
        and `(path, digest)` if the value was cut to its length.
        """
        try:
            if self._fast and self._proves(value):
                out = _dumps(value, spelt, _INT_KEYS) if self._spelt else _dumps(value)
                if len(out) <= self._max_bytes:
                    return copied(out) if len(out) < _BUFFER else out
        except BaseException as error:  # orjson refuses (surrogates, huge ints), or a key's hash
            if interrupts(error):
                raise
        return self._slowly(value, receipt, path)

    def _proves(self, value: Any) -> bool:
        """Return whether the exact route would change nothing, length aside."""
        learned = self._learned
        self._text_room = self._most_text
        self._spelt = False
        self._rest = self._plain(value, self._max_depth, self._room)
        if self._rest >= 0 and self._learned != learned:
            # Python ran in between, and another thread may have changed the value
            learned = self._learned
            self._text_room = self._most_text
            self._rest = self._plain(value, self._max_depth, self._room)
        return self._rest >= 0 and self._learned == learned

    def _plain(self, value: Any, depth: int, room: int) -> int:
        """Return the room that is left behind a plain value; below zero, it is not plain."""
        kind = type(value)
        if kind is str:
            return _NOT_PLAIN if self._tells(value) else room
        if kind is int or kind is float or kind is _NONE or kind is bool:
            return room
        if kind is dict:
            return self._plain_dict(value, depth, room)
        if kind is list:
            return self._plain_list(value, depth, room)
        if kind is tuple:
            return self._plain_tuple(value, depth, room)
        if kind is _DATETIME:
            return room if _has_plain_zone(value) else _NOT_PLAIN
        if kind is _DECIMAL:
            self._spelt = True
            return room
        return room if kind is _DATE or kind is _UUID else _NOT_PLAIN

    def _plain_dict(  # noqa: C901 - one function, because every further call costs time
        self, value: dict[Any, Any], depth: int, room: int
    ) -> int:
        size = len(value)
        room -= size
        if size and (depth <= 0 or size > self._max_items or room < 0):
            return _NOT_PLAIN
        known = self._harmless
        many = size > _MANY and not self._own_names
        numbers = 0
        for key, member in value.items():
            if type(key) is int:
                numbers += 1
            elif _compiled and self._familiar[place_of(key)] is key:
                pass
            elif type(key) is str and key in known:
                if _compiled:
                    self._familiar[place_of(key)] = key
            elif type(key) is not str or not (
                (many and self._is_id(key))
                or (not self._own_names and is_harmless_value(key, value))
                or self._learn(value)
            ):
                return _NOT_PLAIN
            if type(member) is not str:
                room = self._plain(member, depth - 1, room)
                if room < 0:
                    return _NOT_PLAIN
            elif self._tells(member):
                return _NOT_PLAIN
        if numbers:
            self._spelt = True
            if numbers != size:  # 1 and "1" become the same text
                return _NOT_PLAIN
        return room

    # two functions and not one, so that compiled each loop is over its exact type

    def _plain_list(self, value: list[Any], depth: int, room: int) -> int:
        size = len(value)
        room -= size
        if size and (depth <= 0 or size > self._max_items or room < 0):
            return _NOT_PLAIN
        if size == _PAIR and self._is_header(value[0], value[1]):
            return _NOT_PLAIN
        for member in value:
            if type(member) is not str:
                room = self._plain(member, depth - 1, room)
                if room < 0:
                    return _NOT_PLAIN
            elif self._tells(member):
                return _NOT_PLAIN
        return room

    def _plain_tuple(self, value: tuple[Any, ...], depth: int, room: int) -> int:
        size = len(value)
        room -= size
        if size and (depth <= 0 or size > self._max_items or room < 0):
            return _NOT_PLAIN
        if size == _PAIR and self._is_header(value[0], value[1]):
            return _NOT_PLAIN
        for member in value:
            if type(member) is not str:
                room = self._plain(member, depth - 1, room)
                if room < 0:
                    return _NOT_PLAIN
            elif self._tells(member):
                return _NOT_PLAIN
        return room

    def _tells(self, text: str) -> bool:
        """Return whether a text is worth the search for secrets, or more than can fit."""
        size = len(text)
        if size < _SHORTEST_TEXT:
            return False
        self._text_room -= size
        if self._text_room < 0:
            return True
        return self._redactor is not None and suspicious(text)

    def _is_header(self, name: object, value: object) -> bool:
        """Return whether two members may be a sensitive name and its value."""
        if type(name) is not str or type(value) is not str or self._redactor is None:
            return False
        return self._own_names or ends_like_name(name) or may_name(name)

    def _is_id(self, key: str) -> bool:
        """Return whether a key has nothing in it that a secret or its name has."""
        if len(key) > _LONGEST_NAME or key in VALUES:
            return False
        return self._redactor is None or not (hints(key) or suspicious(key))

    def _learn(self, keys: dict[Any, Any]) -> bool:
        """Return whether all keys are harmless; if so they are remembered."""
        if len(keys) > self._most_names:
            return False
        self._learned += 1
        new: set[str] = set()
        for key in list(keys):
            if type(key) is not str or len(key) > _LONGEST_NAME:
                return False
            if self._redactor is not None and (self._redactor.sensitive(key) or suspicious(key)):
                return False
            if self._redactor is None or key not in VALUES:
                new.add(key)
            elif self._own_names or not is_harmless_value(key, keys):
                return False
        if len(self._harmless) + len(new) > self._most_names:
            self._harmless.clear()
        self._harmless.update(new)
        return True

    def _slowly(self, value: object, receipt: list[str] | None, path: str) -> bytes:
        with paused():  # a value's own code, run to show the value, is not the program's call
            try:
                return self._exact(value, receipt, path)
            except Exception as error:  # recording never raises into the program
                if interrupts(error):
                    raise
                return orjson.dumps(f"<not recorded: {type(error).__name__:.40}>")

    def _exact(self, value: object, receipt: list[str] | None, path: str) -> bytes:
        plain = Probe(self) if self._fast else None
        tree = tree_of(value, self._limits, self._redactor, self._rules, receipt, path, plain)
        return fit(tree, self._limits.max_bytes, receipt, path)


class Probe(Snapshotter):
    """The fast route alone, for members of values that take the exact route."""

    __slots__ = ()

    def __init__(self, outer: Snapshotter) -> None:
        # field by field: every walk makes one
        self._limits, self._redactor, self._rules = outer._limits, outer._redactor, outer._rules
        self._fast, self._spelt = outer._fast, False
        self._harmless, self._most_names = outer._harmless, outer._most_names
        self._familiar = outer._familiar
        self._max_bytes = _MOST_BYTES  # a long value is cut later
        self._max_depth, self._max_items = outer._max_depth, outer._max_items
        self._room, self._rest = outer._room, 0
        self._learned = self._text_room = 0
        self._most_text, self._own_names = outer._most_text, outer._own_names

    @property
    def rest(self) -> int:
        """What is left of the room of the last value that was plain."""
        return self._rest

    def json(self, value: object, depth: int) -> bytes | None:
        """Return the JSON of `value`; None when it is no plain JSON, or deeper than `depth`."""
        self._max_depth = depth
        return self.encode(value) or None

    def small_json(self, value: object, depth: int, most: int, room: int) -> bytes | None:
        """Return the same for at most `most` members a container, and `room` members in all."""
        before, whole = self._max_items, self._room
        self._max_items, self._room = most, room
        try:
            return self.json(value, depth)
        finally:
            self._max_items, self._room = before, whole

    def _slowly(self, value: object, receipt: list[str] | None, path: str) -> bytes:
        return b""


def _has_plain_zone(value: Any) -> bool:
    """Return whether orjson may have a datetime, and writes its offset as it is.

    orjson kills the process when a zone written in Python raises; and it rounds to minutes.
    """
    zone = value.tzinfo
    if zone is None:
        return True
    if type(zone) not in _ZONES:
        return False
    offset = value.utcoffset()
    return offset is not None and not offset.seconds % 60 and not offset.microseconds
