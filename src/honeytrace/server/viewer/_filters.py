"""The state of the list, which is entirely in the URL, and the query it stands for."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import timezone
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from ...errors import ConfigurationError
from ...lookup.times import duration_ms, moment_ms
from ...store import Metric, Query
from .._http import bad_request
from .._root_path import link

__all__ = ["PAGE", "Filters"]

PAGE = 50
"""Number of sessions on a page."""

_NO_CONDITIONS = ("scope", "sort", "cols", "view", "by", "before")
"""Parameters that say how the sessions are shown, not which."""


@dataclass(frozen=True)
class Filters:
    """The parameters of the list's URL, as typed; an empty field is no condition."""

    q: str = ""
    """Words to find in name, inputs, outputs and error."""
    scope: str = ""
    """`runs`: only calls that ran inside no other; `calls`: all calls. The default is `calls` for a
    text search, since the call with those words is wanted, otherwise `runs`."""
    project: str = ""
    name: str = ""
    source: str = ""
    status: str = ""
    since: str = ""
    until: str = ""
    """A time (ISO 8601; UTC by default) or an age: `15m`, `24h`, `7d`."""
    min: str = ""
    max: str = ""
    """A duration: `250ms`, `2s`; a bare number is milliseconds."""
    metric: str = ""
    """A condition on a metric, such as `score<0.5`."""
    user: str = ""
    """A value of `user_properties`."""
    mark: str = ""
    """A kind of `lookup.marks.KINDS`, or `any`: runs with such a mark."""
    version: str = ""
    """The beginning of a commit or of the version of a library: `commit=3f2a`, `openai=2.1`."""
    model: str = ""
    """A model that was used, also by a call inside."""
    sort: str = ""
    """A column, in its usual order, or in the opposite one with a minus in front."""
    cols: str = ""
    """The columns, separated by commas."""
    view: str = ""
    """The name that somebody gave to this view."""
    by: str = ""
    """Grouping of the overview: `model` or `user` instead of the name."""
    before: str = ""
    """Start of the page: `start_time,id` of the last session of the previous page; in a sorted
    list the number of the first row."""

    @classmethod
    def read(cls, parameters: QueryParams) -> Filters:
        names = {field.name for field in dataclasses.fields(cls)}
        given = {name: value.strip() for name, value in parameters.items() if name in names}
        if "cols" in given:  # Each checkbox of the form is a parameter of its own.
            given["cols"] = ",".join(filter(None, map(str.strip, parameters.getlist("cols"))))
        return cls(**given)

    @property
    def runs_only(self) -> bool:
        return self.scope == "runs" or (not self.scope and not self.q)

    def url(self, path: str = "/", **changes: str) -> str:
        """Return the address of this state with some fields changed, at the first page. What is
        changed is no longer the view that somebody named."""
        view = "" if changes.keys() - {"before", "after"} else self.view
        state = vars(self) | {"before": "", "view": view} | changes
        given = {name: value for name, value in state.items() if value}
        return link(path) + (f"?{urlencode(given)}" if given else "")

    @property
    def sifted(self) -> bool:
        """True if there are conditions that no engine knows; see `_sift`."""
        return bool(self.mark or self.version or self.model)

    @property
    def known(self) -> Filters:
        """The conditions that engines know, for pages that can show no others."""
        return dataclasses.replace(self, mark="", version="", model="")

    @property
    def chips(self) -> list[tuple[str, str, str]]:
        """Name and value of each condition, and the address of the list without it."""
        state = vars(self)
        names = [name for name in state if state[name] and name not in _NO_CONDITIONS]
        return [(name, state[name], self.url(**{name: ""})) for name in names]

    @property
    def kept(self) -> list[tuple[str, str]]:
        """Name and value of each parameter that a form keeps, besides its own fields."""
        state = vars(self) | {"before": "", "view": ""}
        return [(name, value) for name, value in state.items() if value]

    def query(self) -> Query:
        """Return the query for the store. Raises RefusedError that explains the problem if a
        condition is invalid."""
        try:
            metric = Metric.parse(self.metric) if self.metric else None
        except ConfigurationError as error:
            raise bad_request(str(error)) from None
        return Query(
            project=self.project or None,
            session_name=self.name or None,
            source=self.source or None,
            status=self.status or None,
            # This condition has an index; every failed call has an error.
            error=True if self.status == "error" else None,
            since=_time(self.since),
            until=_time(self.until),
            min_duration=_duration(self.min),
            max_duration=_duration(self.max),
            roots_only=self.runs_only,
            user=self.user or None,
            metric=metric,
            text=self.q or None,
            limit=PAGE + 1,  # One more than is shown reveals if there are older sessions.
            before=None if self.sort else _place(self.before),
        )

    @property
    def first(self) -> int:
        """The number of the first row of a sorted list, from 0."""
        return int(self.before) if self.sort and self.before.isdecimal() else 0


def _duration(text: str) -> float | None:
    """Return milliseconds."""
    try:
        return duration_ms(text, bare="ms") if text else None
    except ConfigurationError:
        raise bad_request(f"a duration reads like 250ms or 2s, not {text!r}") from None


def _time(text: str) -> float | None:
    """Return epoch milliseconds. A time without an offset is UTC, since readers may be in any time
    zone."""
    try:
        return moment_ms(text, zone=timezone.utc) if text else None
    except ConfigurationError:
        message = f"a time reads like 24h, 7d or 2026-01-31T18:00, not {text!r}"
        raise bad_request(message) from None


def _place(text: str) -> tuple[float, str] | None:
    if not text:
        return None
    start, comma, session_id = text.partition(",")
    try:
        return float(start), session_id if comma else ""
    except ValueError:
        raise bad_request("this page's address was cut: go back to the first page") from None
