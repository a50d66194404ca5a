"""The state of the list, which is entirely in the URL, and the query it stands for."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from urllib.parse import urlencode

from ...errors import ConfigurationError
from ...store import Metric, Query
from .._http import bad_request
from .._root_path import link

__all__ = ["PAGE", "Filters"]

PAGE = 50
"""Number of sessions on a page."""

_MS = {"us": 0.001, "µs": 0.001, "ms": 1, "s": 1000, "m": 60_000, "min": 60_000}
_MS |= {"h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "": 1}


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
    sort: str = ""
    """`took`: the longest first, among the newest 1,000 that match."""
    by: str = ""
    """Grouping of the overview: `model` or `user` instead of the name."""
    before: str = ""
    """Start of the page: `start_time,id` of the last session of the previous page."""

    @classmethod
    def read(cls, parameters: Mapping[str, str]) -> Filters:
        names = {field.name for field in dataclasses.fields(cls)}
        given = {name: value.strip() for name, value in parameters.items() if name in names}
        return cls(**given)

    @property
    def runs_only(self) -> bool:
        return self.scope == "runs" or (not self.scope and not self.q)

    def url(self, path: str = "/", **changes: str) -> str:
        """Return the address of this state with some fields changed, at the first page."""
        state = dataclasses.asdict(self) | {"before": ""} | changes
        given = {name: value for name, value in state.items() if value}
        return link(path) + (f"?{urlencode(given)}" if given else "")

    @property
    def chips(self) -> list[tuple[str, str, str]]:
        """Name and value of each condition, and the address of the list without it."""
        state = dataclasses.asdict(self)
        names = [
            name for name in state if state[name] and name not in ("scope", "sort", "by", "before")
        ]
        return [(name, state[name], self.url(**{name: ""})) for name in names]

    def query(self, now: float) -> Query:
        """Return the query for the store; `now` is epoch seconds. Raises RefusedError that explains
        the problem if a condition is invalid."""
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
            since=_time(self.since, now),
            until=_time(self.until, now),
            min_duration=_duration(self.min),
            max_duration=_duration(self.max),
            roots_only=self.runs_only,
            user=self.user or None,
            metric=metric,
            text=self.q or None,
            limit=PAGE + 1,  # One more than is shown reveals if there are older sessions.
            before=_place(self.before),
        )


def _duration(text: str) -> float | None:
    """Milliseconds."""
    if not text:
        return None
    found = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*([a-zµ]*)", text.lower())
    if found is None or found[2] not in _MS:
        raise bad_request(f"a duration reads like 250ms or 2s, not {text!r}")
    return float(found[1]) * _MS[found[2]]


def _time(text: str, now: float) -> float | None:
    """Epoch milliseconds."""
    if not text:
        return None
    if re.fullmatch(r"[\d.]+\s*[a-z]+", text.lower()):
        return now * 1000 - (_duration(text) or 0)
    try:
        found = datetime.fromisoformat(text.upper().replace("Z", "+00:00"))
    except ValueError:
        message = f"a time reads like 24h, 7d or 2026-01-31T18:00, not {text!r}"
        raise bad_request(message) from None
    return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp() * 1000


def _place(text: str) -> tuple[float, str] | None:
    if not text:
        return None
    start, comma, session_id = text.partition(",")
    try:
        return float(start), session_id if comma else ""
    except ValueError:
        raise bad_request("this page's address was cut: go back to the first page") from None
