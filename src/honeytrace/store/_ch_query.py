"""A `Query` as a condition in ClickHouse's SQL, with its values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from ._ch_rows import INPUTS, SEPARATOR
from ._query import Metric, Query
from ._words import Term, in_json, terms
from .errors import RecordRefusedError

__all__ = ["Condition", "among", "at_keys", "condition"]

_PLAIN_ID = re.compile(r"[A-Za-z0-9_.:-]{1,200}", re.ASCII)
"""Ids that are safe to write into a statement directly; others are written as hexadecimal bytes.
clickhouse-connect escapes parameters one character at a time, so binding thousands of ids would
take longer than the rest of an insert."""

_MANY, _FOLDED = 50, 900_000
"""Number of ids from which one literal holds all plain ones, and the most bytes of them. The engine
takes two to three times as long to read thousands of literals. Beyond a megabyte, though, it splits
that literal for every row, which took a minute for 50,000 ids."""

_MOST_BEGINNINGS = 64
"""Number of words that begin like the last word of a search. If there are more, the texts are read
newest first, and a page fills soon."""


class Condition(NamedTuple):
    """A condition on `sessions`, and the values of its parameters."""

    sql: str
    values: dict[str, Any]


def among(ids: Iterable[str], column: str = "event_id") -> Condition:
    """Return the condition that the column, one with ids, is one of these."""
    plain: list[str] = []
    odd: list[str] = []
    for each in ids:
        (plain if _PLAIN_ID.fullmatch(each) else odd).append(each)
    try:
        literals = [_in_bytes(each) for each in odd]
    except UnicodeEncodeError as error:
        raise RecordRefusedError(f"the store cannot take this value: {error}") from error
    # The engine keeps nine bytes beside each text.
    if len(plain) < _MANY or sum(map(len, plain)) + 9 * len(plain) > _FOLDED:
        literals += [f"'{each}'" for each in plain]
        return Condition(f"{column} IN ({', '.join(literals)})" if literals else "0", {})
    many = f"splitByChar(' ', '{' '.join(plain)}')"
    if literals:
        many = f"arrayConcat({many}, [{', '.join(literals)}])"
    return Condition(f"{column} IN {many}", {})


def at_keys(tenant: str, keys: Iterable[Sequence[Any]]) -> Condition:
    """Return the condition that a row has one of these starts and one of these ids."""
    starts, ids = {repr(float(key[0])) for key in keys}, {key[1] for key in keys}
    sql = f"tenant = {{tenant:String}} AND start_time IN ({', '.join(starts)})"
    return Condition(f"{sql} AND {among(ids).sql}", {"tenant": tenant})


def _in_bytes(text: str) -> str:
    """Return a text as a literal of SQL in hexadecimal bytes."""
    return f"'{''.join(f'{chr(92)}x{byte:02X}' for byte in text.encode())}'"


Beginnings = Callable[[str, int], Sequence[str]]
"""A function that returns at most so many words of the index with a given beginning."""


def condition(tenant: str, query: Query, beginnings: Beginnings | None = None) -> Condition:
    """Return the condition of a query; `beginnings` looks words up in the index."""
    sql = ["tenant = {tenant:String}"]
    values: dict[str, Any] = {"tenant": tenant}
    for name, column, kind, operator, value in (
        ("project", "project", "String", "=", query.project),
        ("name", "event_name", "String", "=", query.session_name),
        ("source", "source", "String", "=", query.source),
        ("status", "status", "String", "=", query.status),
        ("root", "root_id", "String", "=", query.root_id),
        ("parent", "parent_id", "String", "=", query.parent_id),
        ("since", "start_time", "Float64", ">=", query.since),
        ("until", "start_time", "Float64", "<", query.until),
        ("shortest", "duration", "Float64", ">=", query.min_duration),
        ("longest", "duration", "Float64", "<=", query.max_duration),
    ):
        if value is not None:
            sql.append(f"{column} {operator} {{{name}:{kind}}}")
            values[name] = value
    if query.error is not None:
        sql.append("error IS NOT NULL" if query.error else "error IS NULL")
    if query.roots_only:
        sql.append("parent_id = ''")
    if query.user is not None:
        sql.append("has(users, {user:String})")
        values["user"] = query.user
    if query.metric is not None:
        # `Metric` validates the values that go into the SQL.
        name, operator, wanted = Metric(*query.metric)
        sql.append("mapContains(numbers, {metric:String}) AND numbers[{metric:String}]")
        sql[-1] += f" {operator} {{wanted:Float64}}"
        values |= {"metric": name, "wanted": wanted}
    if query.before is not None:
        sql.append("start_time <= {before:Float64}")  # The key can serve this condition.
        sql.append("(start_time, event_id) < ({before:Float64}, {before_id:String})")
        values |= {"before": query.before[0], "before_id": query.before[1]}
    for number, term in enumerate(terms(query.text or "")):
        sql += _term(term, f"term{number}", values, beginnings)
    return Condition(" AND ".join(sql), values)


def _term(
    term: Term, name: str, values: dict[str, Any], beginnings: Beginnings | None
) -> list[str]:
    """Return the conditions of one term of a search, and add its values."""
    if not term.words:
        values |= {name: term.signs, f"{name}_json": in_json(term.signs)}
        here = f"position(event_name, {{{name}:String}})", f"position(error, {{{name}:String}})"
        bodies = f"arraySlice(splitByChar(char({ord(SEPARATOR)}), record), {INPUTS}, 2)"
        there = f"arrayExists(part -> position(part, {{{name}_json:String}}) > 0, {bodies})"
        return [f"({' OR '.join(f'ifNull({place}, 0) > 0' for place in here)} OR {there})"]
    whole = list(term.words[:-1] if term.prefix else term.words)
    begun: list[str] | None = None
    sql = []
    if whole:
        values[f"{name}_words"] = whole
        sql.append(f"hasAllTokens(words, {{{name}_words:Array(String)}})")
    if term.prefix and beginnings is not None:
        some = list(beginnings(term.words[-1], _MOST_BEGINNINGS + 1))
        if len(some) <= _MOST_BEGINNINGS:
            # No word begins like this, so search for a word that no text has.
            begun = some or [term.words[-1]]
            values[f"{name}_begun"] = begun
            sql.append(f"hasAnyTokens(words, {{{name}_begun:Array(String)}})")
    # The index answers for a single word, without reading the texts.
    if len(term.words) > 1 or (term.prefix and begun is None):
        values[name] = f" {' '.join(term.words)}{'' if term.prefix else ' '}"
        sql.append(f"position(words, {{{name}:String}}) > 0")
    return sql
