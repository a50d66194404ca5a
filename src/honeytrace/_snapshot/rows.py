"""Rows of databases as mappings: redaction needs the names of the columns."""

from __future__ import annotations

from typing import Any, Final

from .containers import Pairs
from .introspect import class_attribute, stored_slots


def sqlite_row(value: Any) -> Any:
    """Return a `sqlite3.Row`, which is written in C, with its columns in order."""
    kind = type(value)
    names = class_attribute(kind, "keys").__get__(value)()
    values = [class_attribute(kind, "__getitem__")(value, i) for i in range(len(names))]
    return Pairs(zip(names, values, strict=True), len(names))


def sqlalchemy_row(value: Any) -> Any:
    """Return a `Row` or `RowMapping` of SQLAlchemy from its stored keys and data."""
    parent, data = _part(value, "_parent"), _part(value, "_data")
    names = _part(parent, "_keys")
    names = list(names)
    return Pairs(zip(names, data, strict=False), len(names))


def _part(value: Any, name: str) -> Any:
    """Return a stored part of a class of SQLAlchemy, which may be written in C."""
    held = class_attribute(type(value), name)
    if held is not None and hasattr(type(held), "__get__"):
        return type(held).__get__(held, value, type(value))
    return object.__getattribute__(value, name)


def asyncpg_record(value: Any) -> Any:
    pairs = list(class_attribute(type(value), "items").__get__(value)())
    return Pairs(pairs, len(pairs))


def psycopg2_row(value: Any) -> Any:
    """Return a `DictRow`: a list with an index of its columns."""
    index = stored_slots(value).get("_index")
    if index is None:
        return value
    names = list(dict.keys(index))
    return Pairs(zip(names, list.__iter__(value), strict=False), len(names))


ROW_RULES: Final[dict[tuple[str, str], Any]] = {
    ("sqlite3", "Row"): sqlite_row,
    ("sqlalchemy.engine.row", "Row"): sqlalchemy_row,
    ("sqlalchemy.engine.row", "RowMapping"): sqlalchemy_row,
    ("asyncpg.protocol.record", "Record"): asyncpg_record,
    ("asyncpg.protocol.protocol", "Record"): asyncpg_record,
    ("asyncpg", "Record"): asyncpg_record,
    ("psycopg2.extras", "DictRow"): psycopg2_row,
}
"""Rules by module and name of a class, for its subclasses, too."""
