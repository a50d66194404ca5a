"""What a function tells of itself is the same traced."""

from __future__ import annotations

import copy
import doctest
import inspect
import operator
import pydoc
import sys
import typing
import weakref
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from honeytrace import trace_session
from twins import (
    KINDS,
    SHARED,
    Trace,
    a_coroutine_function,
    a_function,
    a_generator_function,
    an_async_generator_function,
    asyncio_says_coroutine_function,
    attempt,
    drained,
    every_kind,
    raised,
    same_as_undecorated,
)

ATTRIBUTES = """
    __name__ __qualname__ __module__ __doc__ __defaults__ __kwdefaults__ __annotations__
    __func__.__name__ tag
"""

SELF_DESCRIPTION: dict[str, Callable[[Any], Any]] = {
    **{name: operator.attrgetter(name) for name in ATTRIBUTES.split()},
    "__type_params__": lambda f: getattr(f, "__type_params__", ()),
    "__dict__": lambda f: {k: v for k, v in vars(f).items() if not k.startswith("__")},
    "__code__": lambda f: inspect.unwrap(f).__code__,
    "dir": lambda f: [name for name in dir(f) if name not in ("__wrapped__", "__signature__")],
    "repr": repr,
    "help": lambda f: pydoc.plain(pydoc.render_doc(f)),
    "type hints": typing.get_type_hints,
    "documentation": inspect.getdoc,
    "comments": inspect.getcomments,
    "source": inspect.getsource,
    "source lines": inspect.getsourcelines,
    "module": inspect.getmodule,
    "unhashable default": lambda f: f.__kwdefaults__["key"] is SHARED,
    "hash": lambda f: hash(f) == hash(f),
    "equality": lambda f: [f == f, f != f, f == len],
    "weak": lambda f: weakref.ref(f)() is f,
    "weak key": lambda f: list(weakref.WeakKeyDictionary({f: 1}).values()),
    "copy": lambda f: copy.copy(f) == f,
    "deep copy": lambda f: copy.deepcopy([f, {"f": f}])[0] is f,
    "truth": bool,
}


@same_as_undecorated(silent=True)
@every_kind
def test_self_description(trace: Trace, kind: str) -> Any:
    """Names, documentation, defaults, annotations, help, source and identity read as
    undecorated."""
    subject = KINDS[kind](trace)
    return {name: attempt(probe, subject) for name, probe in SELF_DESCRIPTION.items()}


@pytest.mark.parametrize(
    "make", [a_function, a_coroutine_function, a_generator_function, an_async_generator_function]
)
def test_wrapped_is_the_function_itself(make: Callable[[Trace], Any]) -> None:
    """`__wrapped__` is the undecorated function, one step away."""
    originals = []

    def keeping(function: Any) -> Any:
        originals.append(function)
        return trace_session(function)

    assert make(keeping).__wrapped__ is originals[0]


@same_as_undecorated(silent=True)
def test_function_attributes(trace: Trace) -> Any:
    """Attributes set before and after decorating are there, can be changed, and can be deleted."""

    def function() -> None: ...

    function.before = [1]
    kept = function.before
    decorated = trace(function)
    decorated.after = 2
    decorated.__doc__ = "written later"
    seen = [decorated.before is kept, decorated.after, decorated.__doc__]
    del decorated.after
    return seen, hasattr(decorated, "after"), raised(getattr, decorated, "missing")


@same_as_undecorated(silent=True)
def test_doctests_are_found(trace: Trace) -> Any:
    """doctest finds and runs the examples of a decorated function."""
    found = doctest.DocTestFinder().find(a_function(trace), "subject", module=sys.modules[__name__])
    results = [
        doctest.DocTestRunner(verbose=False).run(test, out=lambda text: None) for test in found
    ]
    return [(test.name, len(test.examples)) for test in found], results


@same_as_undecorated
@every_kind
def test_wrong_calls_raise_the_same_error_at_the_call(trace: Trace, kind: str) -> Any:
    """A call that does not fit raises the same TypeError, at the call, not at first use of its
    result."""
    subject = KINDS[kind](trace)
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((), {}),
        ((), {"a": 1}),
        ((1, 2, 3, 4, 5, 6), {"nope": 1}),
        ((1,), {"b": 2, "nope": 3}),
        ((1, 2), {"b": 3}),
        (("self", 1, 2, 3), {}),
    ]

    def outcome(args: Any, kwargs: Any) -> Any:
        try:
            result = subject(*args, **kwargs)
        except TypeError as error:
            return str(error)
        return repr(drained(result))

    subject_is_callable_at_all = drained(subject(*((None,) if "unbound" in kind else ()), 1))
    return subject_is_callable_at_all, [outcome(*call) for call in calls]


@same_as_undecorated
def test_mutable_default_is_the_functions_own(trace: Trace) -> Any:
    """A mutable default is one object over all calls, and the one in `__defaults__`."""

    @trace
    def remember(item: int, seen: list[int] = []) -> list[int]:  # noqa: B006 - it is the point
        seen.append(item)
        return seen

    return remember(1) is remember(2), remember(3), remember.__defaults__[0] is remember(4)


@same_as_undecorated
@every_kind
def test_autospec(trace: Trace, kind: str) -> Any:
    """`mock.create_autospec` refuses the same wrong calls and gives the same kind of mock."""
    spec = mock.create_autospec(KINDS[kind](trace))
    subject = KINDS[kind](trace)
    drained(subject(*((None,) if "unbound" in kind else ()), 1))
    wrong = raised(lambda: drained(spec(nope=1)))  # a mock coroutine may refuse when awaited
    return wrong[:2], asyncio_says_coroutine_function(spec), callable(spec)
