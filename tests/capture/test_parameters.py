"""Every list of parameters that Python allows, traced: the same signature, the same binding."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from honeytrace import testing, trace_session

KINDS = list(inspect._ParameterKind)


@st.composite
def functions(draw: st.DrawFn) -> Any:
    """A function that returns what it was called with, with any parameters."""
    kinds = sorted(draw(st.lists(st.sampled_from(KINDS), max_size=7)))
    named: list[inspect.Parameter] = []
    with_default = False
    for number, kind in enumerate(kinds):
        starred = kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        if starred and any(other.kind is kind for other in named):
            continue
        default: Any = inspect.Parameter.empty
        keyword_only = kind is inspect.Parameter.KEYWORD_ONLY
        if not starred and ((with_default and not keyword_only) or draw(st.booleans())):
            default, with_default = number, with_default or not keyword_only
        named.append(inspect.Parameter(f"p{number}", kind, default=default))
    names: dict[str, Any] = {}
    signature = str(inspect.Signature(named))
    exec(f"def fn{signature}: return dict(locals())", names)
    return names["fn"]


def called(fn: Any, args: list[int], kwargs: dict[str, int]) -> Any:
    try:
        return fn(*args, **kwargs)
    except TypeError as error:
        return str(error)


@given(
    functions(),
    st.lists(st.integers(-9, 9), max_size=6),
    st.dictionaries(st.sampled_from([f"p{n}" for n in range(7)] + ["other"]), st.integers(-9, 9)),
)
def test_any_parameters(fn: Any, args: list[int], kwargs: dict[str, int]) -> None:
    """A traced function binds, refuses and records arguments as the function itself does."""
    with testing.capture() as seen:
        traced = trace_session(fn)
        assert inspect.signature(traced) == inspect.signature(fn)
        expected = called(fn, args, kwargs)
        assert called(traced, args, kwargs) == expected
        recorded = [session.inputs for session in seen]
    if isinstance(expected, dict):
        assert recorded == [
            {name: list(v) if isinstance(v, tuple) else v for name, v in expected.items()}
        ]
    else:
        assert recorded == []


def test_settings_that_there_are_not_are_refused() -> None:
    """A setting that is misspelt in our own code is an error, rather than a default."""
    from honeytrace._config import Config

    with pytest.raises(TypeError, match="nonsense"):
        Config(nonsense=1)
