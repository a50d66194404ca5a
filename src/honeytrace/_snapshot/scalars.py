"""Values that are recorded as one number or one text.

Every rule calls the methods of the base type it was written for, as functions of that type, so the
overrides of a subclass never run.
"""

from __future__ import annotations

import codecs
import datetime
import decimal
import enum
import fractions
import pathlib
import re
import uuid
from typing import Any, Final
from zoneinfo import ZoneInfo

from .credentials import cut_before_word
from .datetimes import date_text, datetime_text, time_text, timedelta_text, zone_info_text
from .introspect import module_name, mro_of, namespace_of, type_name
from .redact import Label, Said

TEXT_LIMIT: Final = 2_000  # characters of a message, a path or a preview
_PREVIEW: Final = 64  # bytes
_MOST_BITS: Final = 4_096  # of an int written in decimal: the time grows with the square
_BIG_DECIMAL: Final = 4_000  # bytes of memory, about 8,000 digits


def said(text: str) -> Said:
    """Return text of at most `TEXT_LIMIT` characters that is masked as text."""
    kept = text
    if len(text) > TEXT_LIMIT:
        kept = cut_before_word(text, TEXT_LIMIT)
        kept += f"…[cut {len(text) - len(kept)} characters]"
    return Said(kept)


def without_surrogates(text: str) -> str:
    """Write lone surrogates out (`\\ud800`), since UTF-8 has no bytes for them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def digits(number: int) -> str:
    """Return an int beyond 64 bits as text: as a JSON number most readers would round it."""
    bits = number.bit_length()
    if bits <= _MOST_BITS:
        return str(number)
    sign = "-" if number < 0 else ""
    return f"{sign}{hex(abs(number) >> (bits - 256))}…[{bits} bits]"


def plain_str(value: Any) -> str:
    """Return the text of an instance of a subclass of str."""
    return str.__str__(value)


def plain_int(value: Any) -> Any:
    return int.__index__(value)


def plain_float(value: Any) -> float:
    return float.__pos__(value)


def complex_text(value: Any) -> str:
    return complex.__repr__(value)


def bytes_text(value: Any) -> Said:
    """Return the size and the beginning of bytes, as text when they are UTF-8."""
    kind = type(value)
    if kind is memoryview:
        size, data = value.nbytes, value[: min(len(value), _PREVIEW)].tobytes()[:_PREVIEW]
    else:
        base = bytearray if bytearray in mro_of(kind) else bytes
        size, data = base.__len__(value), bytes(base.__getitem__(value, slice(0, _PREVIEW)))
    try:
        shown = repr(codecs.utf_8_decode(data, "strict", False)[0])  # one cut in two is left out
    except UnicodeDecodeError:
        shown = data.hex(" ")
    return said(f"<{size} bytes: {shown}{'…' if size > len(data) else ''}>")


# numbers and names of the standard library


def decimal_text(value: Any) -> Label:
    size = decimal.Decimal.__sizeof__(value)
    if size > _BIG_DECIMAL:
        return Label(f"<Decimal of {size} bytes>")
    return Label(decimal.Decimal.__str__(value))


def spelt(value: Any) -> str:
    """Return the text of a Decimal, for orjson."""
    if type(value) is not decimal.Decimal:  # another thread has changed the value meanwhile
        raise TypeError
    return decimal_text(value)


def fraction_text(value: Any) -> str:
    numerator = _numerator(value)
    denominator = _denominator(value)
    top, bottom = digits(int(numerator)), digits(int(denominator))
    return top if denominator == 1 else f"{top}/{bottom}"


_numerator: Final = fractions.Fraction.__dict__["_numerator"].__get__
_denominator: Final = fractions.Fraction.__dict__["_denominator"].__get__
_uuid_number: Final = uuid.UUID.__dict__["int"].__get__


def uuid_text(value: Any) -> Label:
    text = f"{_uuid_number(value):032x}"
    return Label(f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}")


def path_text(value: Any) -> Said:
    return said(pathlib.PurePath.__str__(value))


def enum_value(value: Any) -> Any:
    """Return the value of a member; `_value_` is stored on it."""
    return object.__getattribute__(value, "__dict__").get("_value_")


def pattern_text(value: Any) -> Said:
    return said(re.Pattern.__repr__(value))


def text_of(value: Any) -> Said:
    """Return `str(value)` of a type of the standard library; of no `__str__` of the program."""
    for base in mro_of(type(value)):
        if "__str__" in namespace_of(base):
            if module_name(base) not in ("datetime", "ipaddress"):
                break
            return said(str(value))
    return Said(f"<{type_name(type(value))}>")


def range_text(value: Any) -> str:
    return range.__repr__(value)


SCALAR_RULES: Final[dict[type, Any]] = {
    str: plain_str,
    int: plain_int,
    float: plain_float,
    complex: complex_text,
    bytes: bytes_text,
    bytearray: bytes_text,
    memoryview: bytes_text,
    datetime.datetime: datetime_text,
    datetime.date: date_text,
    datetime.time: time_text,
    datetime.timedelta: timedelta_text,
    datetime.timezone: text_of,
    ZoneInfo: zone_info_text,
    decimal.Decimal: decimal_text,
    fractions.Fraction: fraction_text,
    uuid.UUID: uuid_text,
    pathlib.PurePath: path_text,
    enum.Enum: enum_value,
    re.Pattern: pattern_text,
    range: range_text,
}
"""Rules by the type they were written for; those of subclasses are found along the MRO."""
