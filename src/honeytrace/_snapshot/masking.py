"""The masking of one walk: where it stands, what it masked, and how much text it searched."""

from __future__ import annotations

from typing import Any, Final

from .limits import FEW, TEXT
from .redact import MASK, Redactor, note, safe_name
from .scalars import without_surrogates

_PAIR: Final = 2


class Masking:
    """Masks names and texts, and notes their paths.

    Args:
        redactor: whose names and patterns count; None for no masking.
        receipt: gains the path of what was masked.
        path: where the value stands in the record.
    """

    __slots__ = ("_path", "_receipt", "_redactor", "_text_room")

    def __init__(self, redactor: Redactor | None, receipt: list[str] | None, path: str) -> None:
        self._redactor = redactor
        self._receipt = receipt
        self._path = [path]
        self._text_room = TEXT

    def enter(self, name: str | None) -> None:
        """Step into the member under a name, or into the members of a list."""
        if name is None:
            self._path.append("[]")
        else:
            self._path.append(f".{safe_name(name)}" if any(self._path) else safe_name(name))

    def leave(self) -> None:
        """Step out again."""
        self._path.pop()

    def mask(self, name: str | None = None) -> str:
        """Return the mask of the member under a name, or of a member of a list, and note it."""
        here = "".join(self._path)
        if name is not None:
            here = f"{here}.{safe_name(name)}" if here else safe_name(name)
        note(self._receipt, here)
        return MASK

    def string(self, text: str) -> str:
        """Return a string of the program without the secrets that it binds."""
        if self._redactor is not None and self._text_room > 0:
            room = self._text_room
            self._text_room -= len(text)
            head = text if len(text) <= room else text[:room]
            masked = self._redactor.value(head)
            if masked != head:
                self.mask()
                text = masked if head is text else masked + text[room:]
        return text if text.isascii() else without_surrogates(text)

    def said(self, text: str) -> str:
        """Return a text that a value says of itself, masked as an error text is."""
        text = str(text)
        if self._redactor is None:
            return without_surrogates(text)
        if self._text_room <= 0:
            return f"…[cut {len(text)} characters]"
        self._text_room -= len(text)
        return without_surrogates(self._redactor.text(text, self._receipt, "".join(self._path)))

    def hides(self, name: str, value: Any, members: list[tuple[Any, Any]]) -> bool:
        """Tell whether a value is masked under a name and beside these other members."""
        if self._redactor is None or not self._redactor.sensitive(name):
            return False
        siblings = {key: held for key, held in members if type(key) is str}
        if type(value) is dict:  # without the keys that have code of their own
            value = {key: held for key, held in list(value.items())[:FEW] if type(key) is str}
        return self._redactor.masks(name, value, siblings)

    def argument(self, item: Any) -> bool:
        """Tell whether an item is a command-line argument whose value, the next, is secret."""
        if type(item) is not str or not item.startswith("-") or self._redactor is None:
            return False
        name = item.lstrip("-")
        return "=" not in name and self._redactor.sensitive(name)

    def header(self, item: Any) -> list[str] | None:
        """Return a pair of a sensitive name and its value, masked; None for anything else."""
        kind = type(item)
        if self._redactor is None or (kind is not tuple and kind is not list) or len(item) != _PAIR:
            return None
        name, held = item
        text = name.decode("latin-1") if type(name) is bytes else name
        if type(text) is not str or not (type(held) is str or type(held) is bytes):
            return None
        return [text, self.mask(text)] if self._redactor.masks(text, held, {}) else None
