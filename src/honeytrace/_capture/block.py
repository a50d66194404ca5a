"""`session(...)`: a block of code recorded as a session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from .call import begin, done, fail, leave
from .coerce import as_mapping
from .context import current
from .hooks import switch
from .names import masked_id, masked_ids, masked_name
from .options import checked_options
from .session import NO_SESSION, Session
from .spec import Spec


class session:  # noqa: N801 - `with session(...)` reads as the statement it is
    """Record a block as a session: `with session("name") as s:` or `async with`.

    The block receives the running `Session`. If nothing is recorded, it receives an object that is
    false and ignores every call. The parameters are the API's field names. All of them may also be
    set inside the block.

    session_id: choose the id, or continue the session that has it: the records merge.
    sample_rate: 0.0 to 1.0, used if this block is the outermost.

    You can enter one `session` again, also from several tasks or threads at once. Each entry is a
    new session unless you give a `session_id`.
    """

    __slots__ = ("_fields", "_inputs", "_open", "_session_id", "_spec")

    def __init__(
        self,
        session_name: str | None = None,
        *,
        project: str | None = None,
        source: str | None = None,
        session_id: str | None = None,
        children_ids: Iterable[str] | None = None,
        config: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Any] | None = None,
        outputs: Any = None,
        error: str | None = None,
        user_properties: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
        feedback: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        event_type: str = "chain",
        sample_rate: float | None = None,
    ) -> None:
        options = checked_options(
            session_name=masked_name(session_name)
            or "",  # the configured name is used once it is known
            project=masked_name(project),
            source=masked_name(source),
            event_type=event_type,
            capture_outputs=False,
            sample_rate=sample_rate,
        )
        del options["ignore_inputs"]  # a block sets its inputs itself
        self._spec = Spec(**options)
        self._fields: dict[str, Any] = {
            "outputs": outputs,
            "error": error,
            "children_ids": None if children_ids is None else masked_ids(children_ids),
            "config": config,
            "user_properties": user_properties,
            "metrics": metrics,
            "feedback": feedback,
            "metadata": metadata,
        }
        self._inputs = inputs
        self._session_id = masked_id(session_id) if session_id else None
        self._open: list[tuple[Session, Any]] = []

    def __enter__(self) -> Session:
        outer = current.get()
        if not switch.on or (outer is not None and outer.off):
            self._open.append((NO_SESSION, outer))
            return NO_SESSION
        s: Any = None
        try:
            inputs = None if self._inputs is None else as_mapping(self._inputs)
            s = begin(self._spec, self._parent(outer), inputs, self._session_id)
            self._open.append((s, outer))
            if s._spec is not self._spec:  # sampled out
                return NO_SESSION
            s.update(**self._fields)
            return s  # type: ignore[no-any-return]
        except BaseException as interrupt:  # `__exit__` will not be called
            with suppress(ValueError):
                self._open.remove((s, outer))
            fail(s, interrupt, outer)
            raise

    def _parent(self, outer: Any) -> Any:
        """Return the current session, unless this block continues it or its parents: no cycles."""
        around = outer if self._session_id else None
        while around is not None:
            if around.session_id == self._session_id:
                return around._parent
            around = around._parent
        return outer

    def __exit__(self, kind: Any, exc: BaseException | None, tb: Any) -> None:
        entered: Any = None
        try:
            entered = self._entered()
            self._open.remove(entered)
            s, outer = entered
            if s is NO_SESSION:
                return
            if exc is None:
                leave(s, outer)
                done(s, None, current.get())
            else:
                fail(s, exc, outer)
        except BaseException as interrupt:
            entered = entered or self._entered()
            s, outer = entered
            if s is not NO_SESSION:
                if entered in self._open:
                    self._open.remove(entered)
                fail(s, interrupt, outer)
            raise

    def _entered(self) -> tuple[Session, Any]:
        """Return the session that is left, and the one outside of it."""
        now, at = current.get(), len(self._open) - 1
        for i, (s, _) in enumerate(self._open):
            if s is now:  # and not a session that another task entered later
                at = i
        return self._open[at]

    async def __aenter__(self) -> Session:
        return self.__enter__()

    async def __aexit__(self, kind: Any, exc: BaseException | None, tb: Any) -> None:
        self.__exit__(kind, exc, tb)


session.__module__ = "honeytrace"  # where users find it
