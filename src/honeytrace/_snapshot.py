"""The snapshot: a Python value as JSON bytes *now*, so that later mutation cannot leak in.

Two routes with one result. The fast route proves at C speed that a value is plain JSON within the
limits and without a sensitive key, and hands it to orjson whole. Everything else takes the exact
route: a walk that renders what JSON has no word for, then redaction, then cutting to size.
tests/test_snapshot_properties.py holds the two together.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable
from gc import is_tracked
from typing import Any, Final, NamedTuple

import orjson

from ._context import paused
from ._fallback import bounded_repr, plain_object, simplifier, type_name
from ._redact import DEFAULT, Redactor, Said, unused
from .errors import ConfigurationError

dumps: Final = orjson.dumps

SCALARS: Final[frozenset[type]] = frozenset(
    (str, int, float, bool, type(None), datetime.datetime, datetime.date)
)
"""Exact types that hold no key and that orjson writes as the exact route would."""

_MOST_NAMES: Final = 4096  # harmless keys remembered
_LONGEST_NAME: Final = 128
_FEW: Final = 16  # members up to which a loop beats set(map(type, …))
_ROWS: Final[set[type]] = {dict}
_OBJECTS_DEEP: Final = 3  # plain objects inside plain objects: beyond, graphs of services unfold
_BUFFER: Final = 4096  # what orjson's result keeps, however short: shorter ones are copied
_SHORTEST: Final = 64  # characters a string keeps before whole items are cut


class Limits(NamedTuple):
    """Bounds of one snapshot (the inputs or the outputs of one call).

    max_bytes: of the JSON, at least 64. Cut are strings, longest first; then items; then depth.
    max_depth: nested containers and objects. 1 to 200, since JSON readers stop at a few hundred.
    max_items: members of any one list or object. At least 1.
    """

    max_bytes: int = 1_000_000
    max_depth: int = 64
    max_items: int = 100_000

    def check(self) -> None:
        """Raise ConfigurationError for a bound that cannot hold."""
        for name, low, high in (
            ("max_bytes", 64, 2**40),
            ("max_depth", 1, 200),
            ("max_items", 1, 2**40),
        ):
            if not low <= getattr(self, name) <= high:
                raise ConfigurationError(f"limits: {name} must be {low} to {high}")


_LIMITS: Final = Limits()


def _room(limits: Limits) -> int:
    """Members looked at in all: a list of lists of one shared list multiplies without end.

    A JSON value takes two bytes with its comma, so not many more than half of max_bytes can fit.
    """
    return limits.max_bytes // 2 + 1_000


class Snapshotter:
    """Turns values into JSON bytes under fixed limits and a redactor (None: no masking)."""

    __slots__ = ("_fast", "_few", "_harmless", "_limits", "_most_names", "_redactor", "_room")

    def __init__(self, limits: Limits = _LIMITS, redactor: Redactor | None = DEFAULT) -> None:
        limits.check()
        self._limits = limits
        self._redactor = redactor
        self._fast = redactor is None or not redactor.reads_values
        # Never more than max_items, so a dict of known keys is never over that bound.
        self._most_names = min(_MOST_NAMES, limits.max_items)
        self._harmless: set[object] = set()
        self._room = _room(limits)
        self._few = min(_FEW, limits.max_items)

    def encode(self, value: object, receipt: list[str] | None = None, path: str = "") -> bytes:
        """JSON of `value`, at most `max_bytes` long. Never raises; a KeyboardInterrupt passes.

        `receipt` gains the paths of what was masked, each beginning with `path`: `inputs.api_key`.
        """
        kind = type(value)
        try:
            # CPython before 3.14 tracks no dict that holds atoms alone: only keys to check.
            if self._fast and (
                kind in SCALARS
                or (kind is dict and not is_tracked(value) and self._harmless.issuperset(value))  # type: ignore[arg-type]
                or self._is_plain(value)
            ):
                out = dumps(value)
                if len(out) <= self._limits.max_bytes:
                    return b"%b" % out if len(out) < _BUFFER else out
        except Exception:  # noqa: BLE001 - orjson refuses (surrogates, huge ints): the exact route knows
            pass
        with paused():  # what a value runs to show itself is not the program's call
            try:
                return self._exact(value, receipt, path)
            except Exception as error:  # noqa: BLE001 - recording never raises into the program
                return _fit(f"<not recorded: {type_name(type(error))}>", self._limits.max_bytes)

    def _is_plain(self, value: object) -> bool:
        """True only when the exact route would change nothing, length aside."""
        known = self._harmless.issuperset
        room, depth, few = self._room, self._limits.max_depth, self._few
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
        if len(run) > self._limits.max_items:
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

    def _exact(self, value: object, receipt: list[str] | None, path: str) -> bytes:
        tree = _Walk(self._limits).value(value, 0)
        if self._redactor is not None:
            tree = self._redactor.apply(tree, receipt, path)
        return _fit(tree, self._limits.max_bytes)


class Cut(str):
    """The marker in place of what was left out, which remembers how many items."""

    __slots__ = ("items",)
    items: int

    @classmethod
    def of(cls, items: int, why: str = "") -> Cut:
        marker = cls(f"…[cut {items} items{why}]")
        marker.items = items
        return marker


class _Walk:
    """Renders one value as a tree of str, int, float, bool, None, list and dict with str keys."""

    __slots__ = ("_active", "_limits", "_objects", "_room")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._active: set[int] = set()  # ids of the containers we are inside of
        self._objects = 0
        self._room = _room(limits)

    def value(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is str:
            return value if value.isascii() else _utf8(value)
        if value is None or kind is bool or kind is float:
            return value
        if kind is int:
            return value if -(2**63) <= value < 2**64 else _digits(value)
        if id(value) in self._active:
            return "<cycle>"
        self._active.add(id(value))
        try:
            return self._compound(value, kind, depth)
        except Exception as error:  # noqa: BLE001 - the value's own code failed, not the program
            return f"<{type_name(kind)}: {type_name(type(error))} when recorded>"
        finally:
            self._active.discard(id(value))

    def _compound(self, value: Any, kind: type, depth: int) -> Any:
        if kind is list or kind is tuple:
            return self._list(value, depth)
        if kind is dict:
            return self._dict(value, depth)
        if issubclass(kind, str):
            return self.value(str.__str__(value), depth)
        if issubclass(kind, int):
            return self.value(int.__int__(value), depth)
        if issubclass(kind, float):
            return float.__float__(value)
        return self._object(value, kind, depth)

    def _object(self, value: Any, kind: type, depth: int) -> Any:
        if depth >= self._limits.max_depth:
            return Cut.of(1, f", deeper than {depth}")
        rule = simplifier(kind)
        if rule is not plain_object:
            return self._step(rule(value), depth)
        if self._objects == _OBJECTS_DEEP:
            return bounded_repr(value)
        self._objects += 1
        try:
            return self._step(plain_object(value), depth)
        finally:
            self._objects -= 1

    def _step(self, simpler: Any, depth: int) -> Any:
        if type(simpler) is Said:
            return simpler
        same_level = type(simpler) in (dict, list, tuple)
        return self.value(simpler, depth if same_level else depth + 1)

    def _list(self, value: Any, depth: int) -> Any:
        if depth >= self._limits.max_depth:
            return Cut.of(len(value), f", deeper than {depth}") if value else []
        kept = self._keep(len(value))
        items = [self.value(item, depth + 1) for item in value[:kept]]
        if kept < len(value):
            items.append(Cut.of(len(value) - kept))
        return items

    def _dict(self, value: dict[Any, Any], depth: int) -> Any:
        if depth >= self._limits.max_depth:
            return Cut.of(len(value), f", deeper than {depth}") if value else {}
        members = list(value.items())  # at once, since another thread may be changing it
        kept = self._keep(len(members))
        tree: dict[str, Any] = {}
        for key, item in members[:kept]:
            tree[unused(self._key(key, depth), tree)] = self.value(item, depth + 1)
        if kept < len(members):
            tree[unused("…", tree)] = Cut.of(len(members) - kept)
        return tree

    def _keep(self, size: int) -> int:
        kept = min(size, self._limits.max_items, max(self._room, 0))
        self._room -= kept
        return kept

    def _key(self, key: Any, depth: int) -> str:
        if type(key) is str:
            return _utf8(key)
        simple = self.value(key, depth)
        return simple if isinstance(simple, str) else Said(dumps(simple).decode())


def _utf8(text: str) -> str:
    """`text` with lone surrogates written out (`\\ud800`), since UTF-8 has no bytes for them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def _digits(number: int) -> str:
    """An int beyond 64 bits as text: as a JSON number most readers would round it."""
    try:
        return str(number)
    except ValueError:  # sys.set_int_max_str_digits
        return f"{hex(number)[:64]}…[{number.bit_length()} bits]"


def _fit(tree: Any, room: int) -> bytes:
    """`tree` as JSON in at most `room` bytes: long strings go first, then items, then depth."""
    out = _write(tree)
    if len(out) <= room:
        return out
    whole = len(out)
    sizes = _strings(tree)
    longest = _longest(sizes, room - (whole - sum(sizes)))
    items = _widest(tree)
    depth = 256
    while depth:
        out = _write(_prune(tree, longest, items, depth))
        if len(out) <= room:
            return out
        if longest > _SHORTEST:
            longest = _SHORTEST
        elif items > 1:
            items = min(items - 1, items * room // len(out)) or 1
        else:
            depth = min(depth // 2, 16)
    return dumps(f"…[cut {whole} bytes]")


def _write(tree: Any) -> bytes:
    return dumps(tree, option=orjson.OPT_NON_STR_KEYS)  # for keys that are Said


def _strings(tree: Any) -> list[int]:
    """The JSON size of every string value."""
    sizes: list[int] = []
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            sizes.append(len(dumps(node)))
        elif type(node) is list:
            stack.extend(node)
        elif type(node) is dict:
            stack.extend(node.values())
    return sizes


def _longest(sizes: list[int], room: int) -> int:
    """The largest bound such that all strings, each cut to it, take `room` bytes."""
    sizes.sort()
    for i, size in enumerate(sizes):
        if size * (len(sizes) - i) > room:
            return max(room // (len(sizes) - i), _SHORTEST)
        room -= size
    return sizes[-1] if sizes else _SHORTEST


def _widest(tree: Any) -> int:
    widest, stack = 1, [tree]
    while stack:
        node = stack.pop()
        if type(node) is list or type(node) is dict:
            widest = max(widest, len(node))
            stack.extend(node.values() if isinstance(node, dict) else node)
    return widest


def _prune(node: Any, longest: int, items: int, depth: int) -> Any:
    if isinstance(node, str):
        return node if isinstance(node, Cut) else _shorten(node, longest)
    if type(node) is list:
        if node and not depth:
            return Cut.of(len(node))
        kept = [_prune(item, longest, items, depth - 1) for item in node[:items]]
        return kept if len(node) <= items else [*kept, Cut.of(_left_out(node[items:]))]
    if type(node) is dict:
        if node and not depth:
            return Cut.of(len(node))
        members = list(node.items())
        tree: dict[str, Any] = {}
        for key, item in members[:items]:
            tree[unused(_shorten(key, longest), tree)] = _prune(item, longest, items, depth - 1)
        if len(members) > items:
            tree[unused("…", tree)] = Cut.of(_left_out([v for _, v in members[items:]]))
        return tree
    return node


def _left_out(rest: list[Any]) -> int:
    last = rest[-1]
    return len(rest) - 1 + last.items if isinstance(last, Cut) else len(rest)


def _shorten(text: str, size: int) -> str:
    """`text` in about `size` bytes of JSON, the marker included."""
    have = len(dumps(text))
    if have <= size:
        return text
    kept = len(text)
    while kept and have > size:
        kept = min(kept - 1, kept * max(size - 32, 0) // have)
        have = len(dumps(text[:kept])) + 32
    return f"{text[:kept]}…[cut {len(text) - kept} characters]"
