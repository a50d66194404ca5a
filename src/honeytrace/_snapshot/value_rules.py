"""Patterns and functions of the program, applied to a tree of plain JSON values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._base.interrupts import interrupts
from . import redact
from .redact import FAILED, MASK, RedactFunction, Redactor, note, safe_name, unused


class RulePass:
    """One walk of the program's patterns and functions over one tree of plain JSON values.

    Args:
        rules: whose patterns and functions are applied.
        receipt: gains the path of each value that was changed.
        render: `(value, path, receipt)`; turns what a function returned into plain JSON with its
            names masked, and raises when that cannot be.
    """

    __slots__ = ("_receipt", "_render", "_rules")

    def __init__(
        self, rules: Redactor, receipt: list[str] | None, render: Callable[[Any, str, Any], Any]
    ) -> None:
        self._rules = rules
        self._receipt = receipt
        self._render = render

    def value(self, value: Any, path: str, functions: tuple[RedactFunction, ...]) -> Any:
        """Return the tree with all rules applied, from the outside in."""
        for function in functions:
            replaced = self._replace(function, path, value)
            if replaced is not value:
                # The replacement is not shown to functions again: one that nests would never end.
                return self.value(replaced, path, ())
        if isinstance(value, str):
            return self._string(value, path)
        if type(value) is list:
            return [self.value(item, path + "[]", functions) for item in value]
        if type(value) is dict:
            tree: dict[str, Any] = {}
            for key, item in value.items():
                inner = safe_name(key)
                inner = f"{path}.{inner}" if path else inner
                masked = item == MASK and self._rules.sensitive(key)
                name = unused(self._string(key, path), tree)
                tree[name] = item if masked else self.value(item, inner, functions)
            return tree
        return value

    def _string(self, value: str, path: str) -> str:
        if not self._rules.patterns:
            return value
        try:
            masked = redact.substitute(value, self._rules.patterns)
        except Exception:  # noqa: BLE001 - fail closed
            masked = FAILED
        if masked != value:
            note(self._receipt, path)
        return masked

    def _replace(self, function: RedactFunction, path: str, value: Any) -> Any:
        try:
            replaced = function(path, value)
            if replaced is value:
                return value
            inner: list[str] = []
            rendered = self._render(replaced, path, inner)
            if rendered != value:
                note(self._receipt, path)
            for place in inner:
                note(self._receipt, place)
            return rendered
        except BaseException as error:  # fail closed
            if interrupts(error):
                raise
            note(self._receipt, f"{path} (redaction failed)")
            return FAILED
