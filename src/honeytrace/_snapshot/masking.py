"""The masking of one walk: its position, its receipt, and the amount of text it searched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from .._base import cython

from .credentials import cut_before_word
from .gate_words import COOKIE, NAMING
from .gate_words import SHORTEST as SHORTEST_SUSPECT
from .limits import FEW, SHORTEST, TEXT, Limits
from .pieces import masked_in_pieces
from .plain import Room
from .redact import MASK, Redactor, note, safe_name
from .scalars import without_surrogates
from .truncate import note_cut

if not cython.compiled:  # otherwise masking.pxd has them in C
    from .._base.primitives import find
    from .text_gate import suspicious

_MOST_NAMES = 4_096
_SHORT_TEXT = 1_000  # characters
_LONGEST_NAME = 64
_SHORTEST, _SHORTEST_SUSPECT, _TEXT = SHORTEST, SHORTEST_SUSPECT, TEXT


def _nothing(name: str) -> bool:
    return False


def _is_harmless(text: str) -> bool:
    """Return whether a short text binds nothing to a name and holds no credential."""
    size = len(text)
    if size > _SHORT_TEXT or suspicious(text):
        return False
    # nothing stands for "name=value", "name: value", "--name value" or "('name', 'value')"
    return (
        find(text, "=", 0, size) < 0
        and find(text, ":", 0, size) < 0
        and find(text, "-", 0, size) < 0
        and find(text, "(", 0, size) < 0
        and find(text, "[", 0, size) < 0
    )


class Masking:
    """Masks names and texts, and notes their paths.

    Args:
        redactor: whose names and patterns count; None for no masking.
        receipt: gains the path of each masked value.
        path: where the value stands in the record.
        limits: bounds of the snapshot.
        room: bytes that are left for strings.
    """

    __slots__ = (
        *("_longest", "_most", "_names", "_path", "_receipt", "_redactor", "_room"),
        *("_gated", "_text_room"),
        "sensitive",
    )

    def __init__(
        self,
        redactor: Redactor | None,
        receipt: list[str] | None,
        path: str,
        limits: Limits,
        room: Room,
    ) -> None:
        self._room = room
        self._most = limits.max_bytes
        self._longest = max(limits.max_bytes, TEXT)
        self._redactor = redactor
        self._receipt = receipt
        self.sensitive: Callable[[str], bool] = _nothing if redactor is None else redactor.sensitive
        self._path: list[str | None] = [path]  # None: the members of a list
        self._text_room = TEXT
        self._gated = redactor is not None and redactor.is_gated
        self._names = {} if redactor is None else redactor.names

    def enter(self, name: str | None) -> None:
        """Step into the member under a name, or into the members of a list."""
        self._path.append(name)

    def leave(self) -> None:
        """Step out again."""
        self._path.pop()

    def mask(self, name: str | None = None) -> str:
        """Return the mask of the member under a name, or of a member of a list, and note it."""
        note(self._receipt, self._here(name))
        return MASK

    def _here(self, name: str | None = None) -> str:
        """Return the path, made when something was masked there."""
        here = self._path[0] or ""
        for step in (*self._path[1:], *(() if name is None else (name,))):
            if step is None:
                here += "[]"
            else:
                here = f"{here}.{safe_name(step)}" if here else safe_name(step)
        return here

    def name(self, key: str) -> tuple[str, bool]:
        """Return a key without secrets, and whether it may name one; remembered for later walks."""
        found = self._names.get(key)
        if found is None:
            text = self.string(key)
            found = text, self.sensitive(text)
            # a masked key is noted in the receipt each time
            if text is key and len(key) <= _LONGEST_NAME:
                if len(self._names) >= _MOST_NAMES:
                    self._names.clear()
                self._names[key] = found
        return found

    def bounded(self, text: str) -> str:
        """Return a string without its secrets, and no more of it than could fit."""
        size, whole = len(text), text
        if size > self._longest:  # the rest is not copied; half a secret would look like none
            text = cut_before_word(text, self._longest)
        longest = len(text)
        text = self.string(text)
        if size <= _SHORTEST:
            return text
        room = min(self._most, max(self._room.bytes, _SHORTEST))
        self._room.bytes -= min(len(text), room)
        left_out = size - longest
        lost = ""
        if len(text) > room:
            left_out += len(text) - room
            text, lost = text[:room], text[room:]
        if not left_out:
            return text
        note_cut(self._receipt, str(self._path[0]), lost, whole[longest:])
        return f"{text}…[cut {left_out} characters]"

    def string(self, text: str) -> str:
        """Return a string of the program without the secrets that it binds."""
        if len(text) >= _SHORTEST_SUSPECT and self._redactor is not None and suspicious(text):
            masked, self._text_room = masked_in_pieces(text, self._redactor.value, self._text_room)
            if masked != text:
                self.mask()
                text = masked
        return text if text.isascii() else without_surrogates(text)

    def said(self, text: str) -> str:
        """Return a text that a value says of itself, masked as an error text is."""
        text = str(text)
        if self._redactor is None:
            return without_surrogates(text)
        if self._text_room <= 0:
            return f"…[cut {len(text)} characters]"
        self._text_room -= len(text)
        if self._gated and _is_harmless(text):
            return text if text.isascii() else without_surrogates(text)
        path = self._here()
        return without_surrogates(self._redactor.text(text, self._receipt, path))

    def hides(self, name: str, value: Any, members: list[tuple[Any, Any]]) -> bool:
        """Tell whether a value is masked under a name and beside these other members."""
        if self._redactor is None:
            return False
        siblings = {key: held for key, held in members if type(key) is str}
        if type(value) is dict:  # without the keys that have code of their own
            value = {key: held for key, held in list(value.items())[:FEW] if type(key) is str}
        return self._redactor.masks(name, value, siblings)

    def hides_named(self, value: Any, members: list[tuple[Any, Any]]) -> bool:
        """Tell whether a value is masked for the name that stands beside it in a dict."""
        if self._redactor is None:
            return False
        beside = {key: held for key, held in members if type(key) is str}
        if COOKIE in beside:
            return True
        names = (beside.get(naming) for naming in NAMING)
        return any(type(name) is str and self._redactor.masks(name, value, {}) for name in names)

    def argument(self, item: str) -> bool:
        """Tell whether an item is a command-line argument whose value, the next, is secret."""
        if self._redactor is None:
            return False
        name = item.lstrip("-")
        return "=" not in name and self._redactor.sensitive(name)

    def header(self, item: Any) -> list[str] | None:
        """Return a pair of a sensitive name and its value, masked; None for anything else."""
        if self._redactor is None:
            return None
        name, held = item
        text = name.decode("latin-1") if type(name) is bytes else name
        if type(text) is not str or not (type(held) is str or type(held) is bytes):
            return None
        return [text, self.mask(text)] if self._redactor.masks(text, held, {}) else None
