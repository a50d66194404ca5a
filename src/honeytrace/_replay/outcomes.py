"""The outcome of a recorded call, made anew: its result, its yields, or its error."""

from __future__ import annotations

import builtins
import importlib
from collections.abc import Iterator
from typing import Any

from ..errors import NotRecorded
from .annotations import Missing, evaluated, innermost, returned_by, yielded
from .calls import WHOLE, Call
from .damage import damage
from .values import NotRebuilt, rebuild

_ANSWERED = ("ok", "error", "closed")


class Outcome:
    """What a call came to. `items` is None for a call that is no generator."""

    def __init__(self) -> None:
        self.items: list[Any] | None = None
        self.value: Any = None
        self.error: BaseException | None = None
        self.stopped = False
        """The consumer closed the generator here; what comes next is not known."""

    def more(self) -> NotRecorded:
        """Return the exception for a consumer that asks a closed generator for more."""
        count = len(self.items or ())
        plural = "" if count == 1 else "s"
        return NotRecorded(f"recorded {count} yield{plural}; the consumer stopped there")


def outcome_of(call: Call, fn: Any, spec: Any, *, generator: bool) -> Outcome:
    """Return the outcome of a recorded call of `fn`. Raises NotRebuilt."""
    found = Outcome()
    _check(call, spec)
    annotation = evaluated(fn)[0].get("return", Missing)
    if generator:
        _fill_yields(found, call, spec, annotation)
    elif call.status == "ok":
        found.value = rebuild(result_of(call), annotation, f"{call.name}.outputs")
    if call.status == "error":
        found.error = error_of(call, fn)
    return found


def _check(call: Call, spec: Any) -> None:
    """Raise NotRebuilt if the record of a call is not its outcome."""
    if call.status not in _ANSWERED:
        raise NotRebuilt(f"{call.name} ended as {call.status!r} when it was recorded")
    if "outputs" in call.details.get("set", ()):
        raise NotRebuilt(f"the outputs of {call.name} were set by the program, not returned")
    if spec.capture_outputs is not True and call.status != "error":
        raise NotRebuilt(f"the outputs of {call.name} are not recorded (capture_outputs)")


def result_of(call: Call) -> Any:
    """Return the recorded result: the outputs, or the value that was wrapped in them."""
    outputs = call.outputs
    wrapped = outputs.keys() == {"result"} and not call.details.get("bare")
    return outputs["result"] if wrapped else outputs


def _fill_yields(found: Outcome, call: Call, spec: Any, annotation: Any) -> None:
    item, outputs = yielded(annotation), call.outputs
    if spec.reduce is not None and call.details.get(WHOLE) is not True:
        found.items = _pieces(call)
        found.stopped = call.status == "closed"
        return
    yields = outputs.get("yields", [])
    count = outputs.get("count", len(yields))
    if count > len(yields):
        raise NotRebuilt(f"{call.name} yielded {count} times, and {len(yields)} were recorded")
    where = f"{call.name}.outputs.yields"
    found.items = [rebuild(each, item, f"{where}[{i}]") for i, each in enumerate(yields)]
    if outputs.get("return") is not None:
        found.value = rebuild(outputs["return"], returned_by(annotation), f"{where}.return")
    found.stopped = call.status == "closed"


def _pieces(call: Call) -> list[str]:
    """Return the pieces of a text that `reduce` joined."""
    sizes, text = call.details.get("chunks"), result_of(call)
    if not isinstance(sizes, list) or not isinstance(text, str) or sum(sizes) != len(text):
        raise NotRebuilt(f"{call.name} has what reduce= made of its yields, not the yields")
    for path, fault in damage(text, f"{call.name}.outputs"):
        raise NotRebuilt(f"{path} {fault}")
    return list(_split(text, sizes))


def _split(text: str, sizes: list[int]) -> Iterator[str]:
    at = 0
    for size in sizes:
        yield text[at : at + size]
        at += size


def error_of(call: Call, fn: Any) -> BaseException:
    """Return an exception equal to the one that was recorded. Raises NotRebuilt."""
    raised = call.details.get("raised") or {}
    name, _, message = (call.error or "").partition(": ")
    kind = _kind_named(raised["type"]) if "type" in raised else _kind_guessed(name, fn)
    if raised.get("cut"):
        raise NotRebuilt(f"the arguments of the {name} that {call.name} raised were too large")
    args = raised.get("args", [message] if message else [])
    for path, fault in damage([args, raised.get("fields", {})], f"{name} of {call.name}"):
        raise NotRebuilt(f"{path} {fault}")
    try:
        exc: BaseException = kind.__new__(kind, *args)
        if not issubclass(kind, OSError):
            exc.args = tuple(args)
        exc.__dict__.update(raised.get("fields", {}))
    except Exception as error:
        raise NotRebuilt(f"{name} of {call.name} cannot be made ({error})") from error
    return exc


def _kind_named(text: str) -> type[BaseException]:
    module, _, qualname = text.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for name in qualname.split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError):
        found = None
    if isinstance(found, type) and issubclass(found, BaseException):
        return found
    return _loaded(qualname, text)


def _kind_guessed(name: str, fn: Any) -> type[BaseException]:
    """Return the class of an error that a record before `raised` names."""
    last = name.rpartition(".")[2]
    for found in (getattr(innermost(fn), "__globals__", {}).get(last), vars(builtins).get(last)):
        if isinstance(found, type) and issubclass(found, BaseException):
            return found
    return _loaded(name, name)


def _loaded(qualname: str, text: str) -> type[BaseException]:
    """Return the only loaded exception class of a name; a class inside a function is found too."""
    name = qualname.rpartition(".")[2]
    found: set[type[BaseException]] = set()
    waiting: list[type[BaseException]] = [BaseException]
    while waiting:
        kind = waiting.pop()
        waiting += type.__subclasses__(kind)
        if kind.__qualname__ == qualname or (qualname == name and kind.__name__ == name):
            found.add(kind)
    exact = {k for k in found if f"{k.__module__}:{k.__qualname__}" == text} or found
    if len(exact) != 1:
        raise NotRebuilt(f"{len(exact)} loaded classes are called {qualname}")
    return exact.pop()
