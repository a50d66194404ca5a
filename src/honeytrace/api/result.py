"""`Result`: what a standalone function returns instead of raising.

    match session_get_session(core, session_id):
        case Ok(event):
            print(event.event_name)
        case Err(error):
            print(error)

`if result.ok:` narrows the type as well; `result.unwrap()` gives the value or raises the error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, Literal, NoReturn, TypeAlias, TypeVar

T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", covariant=True, bound=Exception)


@dataclass(frozen=True, slots=True)
class Ok(Generic[T_co]):
    """The call succeeded with `value`."""

    value: T_co
    ok: Literal[True] = field(default=True, init=False, repr=False)
    error: None = field(default=None, init=False, repr=False)

    def unwrap(self) -> T_co:
        """Return the value."""
        return self.value


@dataclass(frozen=True, slots=True)
class Err(Generic[E_co]):
    """The call failed with `error`, an exception that was not raised."""

    error: E_co
    ok: Literal[False] = field(default=False, init=False, repr=False)
    value: None = field(default=None, init=False, repr=False)

    def unwrap(self) -> NoReturn:
        """Raise the error."""
        raise self.error


Result: TypeAlias = "Ok[T_co] | Err[E_co]"
