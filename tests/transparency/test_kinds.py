"""A traced function is of the kind and signature of the undecorated one."""

from __future__ import annotations

import collections
import inspect
import types
from typing import Any

from twins import (
    FLAGS,
    KINDS,
    Trace,
    asyncio_says_coroutine_function,
    attempt,
    drained,
    every_kind,
    same_as_undecorated,
)


@same_as_undecorated(silent=True)
@every_kind
def test_kind_flags(trace: Trace, kind: str) -> Any:
    """Every question that `inspect` and `asyncio` can ask about a callable's kind has the same
    answer."""
    subject = KINDS[kind](trace)
    return [flag(subject) for flag in FLAGS], asyncio_says_coroutine_function(subject)


@same_as_undecorated(silent=True)
@every_kind
def test_flags_of_what_a_call_returns(trace: Trace, kind: str) -> Any:
    """A call returns a coroutine, a generator or an asynchronous generator as undecorated."""
    bind = (None,) if kind == "unbound method" else ()
    subject = KINDS[kind](trace)
    result = subject(*bind, 1)
    questions = (
        inspect.iscoroutine,
        inspect.isawaitable,
        inspect.isgenerator,
        inspect.isasyncgen,
        lambda r: isinstance(r, types.GeneratorType),
        lambda r: isinstance(r, collections.abc.Coroutine),
        lambda r: isinstance(r, collections.abc.AsyncGenerator),
        lambda r: [getattr(r, name, None) for name in ("__name__", "__qualname__")],
    )
    answers = [question(result) for question in questions]
    drained(result)
    return answers


@same_as_undecorated(silent=True)
@every_kind
def test_signature(trace: Trace, kind: str) -> Any:
    """The signature is kept, for `inspect.signature` and for those that do not look through
    wrappers."""
    subject = KINDS[kind](trace)
    return attempt(inspect.signature, subject), attempt(inspect.getfullargspec, subject)
