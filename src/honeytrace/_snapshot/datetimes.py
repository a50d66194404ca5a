"""Dates and times as ISO 8601, without running the Python code of a time zone of the program."""

from __future__ import annotations

import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from .introspect import (
    class_attribute,
    is_library_class,
    module_name,
    mro_of,
    stored_dict,
    type_name,
)
from .redact import Label

_NOTHING: Final = datetime.timedelta(0)
_DATEUTIL: Final = "dateutil.tz.tz"
_PYDANTIC: Final = "pydantic_core._pydantic_core"


def _getters(kind: type, names: str) -> tuple[Any, ...]:
    return tuple(kind.__dict__[name].__get__ for name in names.split())


_DATE_PARTS: Final = _getters(datetime.date, "year month day")
_DATETIME_PARTS: Final = _getters(datetime.datetime, "hour minute second microsecond")
_TIME_PARTS: Final = _getters(datetime.time, "hour minute second microsecond")
(_datetime_zone, _datetime_fold) = _getters(datetime.datetime, "tzinfo fold")
(_time_zone,) = _getters(datetime.time, "tzinfo")


def is_datetime(kind: type) -> bool:
    """Tell whether a value of this type is as deep as a text, as in the fast route."""
    return kind is datetime.datetime or kind is datetime.date or kind is datetime.time


def datetime_text(value: Any) -> Label:
    """Return ISO 8601 of a datetime; with the zone's name where only its own code has an offset."""
    naive = datetime.datetime(
        *(get(value) for get in _DATE_PARTS),
        *(get(value) for get in _DATETIME_PARTS),
        fold=_datetime_fold(value),
    )
    return Label(naive.isoformat() + _zone_text(_datetime_zone(value), naive))


def time_text(value: Any) -> str:
    """Return ISO 8601 of a time of day."""
    naive = datetime.time(*(get(value) for get in _TIME_PARTS))
    return naive.isoformat() + _zone_text(_time_zone(value), None)


def date_text(value: Any) -> str:
    return datetime.date.isoformat(value)


def timedelta_text(value: Any) -> str:
    return datetime.timedelta.__str__(value)


def _zone_text(zone: Any, naive: datetime.datetime | None) -> str:
    if zone is None:
        return ""
    kind = type(zone)
    if kind is datetime.timezone:
        offset = zone.utcoffset(None)
    elif ZoneInfo in mro_of(kind):
        offset = ZoneInfo.utcoffset(zone, naive)
    else:
        known = _library_offset(zone, naive)
        if known is False:
            return f"[{type_name(kind)}]"
        offset = known
    if type(offset) is not datetime.timedelta:
        return ""
    moment = datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone(offset))
    return moment.isoformat()[len("2000-01-01T00:00:00") :]


def _library_offset(zone: Any, naive: datetime.datetime | None) -> Any:
    """Return the offset of a zone of pytz, pydantic or dateutil; False for any other zone."""
    kind = type(zone)
    if any(is_library_class(base, "pytz.tzinfo", "BaseTzInfo") for base in mro_of(kind)):
        if is_library_class(kind, "pytz", "UTC"):
            return _NOTHING
        stored = stored_dict(zone).get("_utcoffset") or class_attribute(kind, "_utcoffset")
        return stored if type(stored) is datetime.timedelta else False
    if is_library_class(kind, _PYDANTIC, "TzInfo"):  # compiled; every datetime pydantic has parsed
        return zone.utcoffset(naive)
    if module_name(kind) == _DATEUTIL and is_library_class(kind, _DATEUTIL, type_name(kind)):
        return zone.utcoffset(naive)
    return False


def zone_info_text(value: Any) -> str:
    key = ZoneInfo.key.__get__(value)
    return key if type(key) is str else type_name(type(value))
