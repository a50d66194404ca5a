"""Objects with declared fields: dataclasses, attrs, pydantic, exceptions, and ORM instances.

Fields are read from where the instance stores them. `model_dump` and computed fields would run the
program's code, and consume an iterator that a field holds.
"""

from __future__ import annotations

import dataclasses
from types import MemberDescriptorType
from typing import Any, Final

from .introspect import (
    ByClass,
    class_attribute,
    is_library_class,
    mro_of,
    namespace_of,
    stored_dict,
    stored_fields,
    type_name,
)
from .redact import Said
from .scalars import said

TYPE: Final = "__type__"
_HIDDEN: Final = "<hidden: repr=False>"
_EXCLUDED: Final = "<hidden: exclude=True>"
_SECRET: Final = "**********"


def dataclass_fields(value: Any) -> Any:
    declared = class_attribute(type(value), "__dataclass_fields__")
    have = stored_fields(value)
    if type(declared) is not dict:
        return value
    fields: dict[str, Any] = {}
    for name, field in declared.items():
        if type(field) is dataclasses.Field and name in have:
            fields[name] = have[name] if field.repr else _HIDDEN
    return fields


def attrs_fields(value: Any) -> Any:
    declared = class_attribute(type(value), "__attrs_attrs__")
    have = stored_fields(value)
    fields: dict[str, Any] = {}
    for attribute in tuple.__iter__(declared):
        if not is_library_class(type(attribute), "attr._make", "Attribute"):
            return value
        if attribute.name in have:
            shown = attribute.repr is not False
            fields[attribute.name] = have[attribute.name] if shown else _HIDDEN
    return fields


def pydantic_fields(value: Any) -> Any:
    """Return the stored fields of a pydantic model, extra fields too, without computed ones."""
    kind = type(value)
    hidden = _hidden_of(kind)
    stored = stored_dict(value)
    fields = {**stored, **{k: v for k, v in hidden.items() if k in stored}} if hidden else stored
    extra = class_attribute(kind, "__pydantic_extra__")
    if type(extra) is MemberDescriptorType:
        more = extra.__get__(value)
        fields = {**fields, **more} if type(more) is dict else fields
    return dict(fields)


def _hidden_fields(kind: type) -> dict[str, str]:
    """Return the markers for the fields that a pydantic model does not show."""
    hidden: dict[str, str] = {}
    for name, about in _first_dict(
        kind, "__pydantic_fields__", "model_fields", "__fields__"
    ).items():
        told = stored_fields(stored_fields(about).get("field_info", about))
        if told.get("repr") is False:
            hidden[name] = _HIDDEN
        elif told.get("exclude") is True:
            hidden[name] = _EXCLUDED
    return hidden


def _first_dict(kind: type, *names: str) -> dict[str, Any]:
    for name in names:
        found = class_attribute(kind, name)
        if type(found) is dict:
            return found
    return {}


_hidden_of: Final = ByClass(_hidden_fields)


def secret_value(value: Any) -> str:
    """Return the mask of a pydantic `SecretStr` or `SecretBytes`."""
    return _SECRET


def struct_fields(value: Any) -> Any:
    """Return the fields of a `msgspec.Struct`."""
    names = class_attribute(type(value), "__struct_fields__")
    have = stored_fields(value)
    return {name: have[name] for name in names if name in have}


# exceptions


def is_plain(value: Any) -> bool:
    """Tell whether formatting a value runs no code of the program."""
    kind = type(value)
    return kind is str or kind is int or kind is float or kind is bool or value is None


def own_message(error: BaseException) -> str | None:
    """Return `str(error)` where it runs no code of the program, else None."""
    kind = type(error)
    for base in mro_of(kind):
        if "__str__" in namespace_of(base):
            if not is_library_class(base, "builtins", type_name(base)):
                return None
            break
    args = BaseException.args.__get__(error)  # type: ignore[attr-defined]
    if not all(map(is_plain, args)):
        return None
    if len(args) == 1 and type(args[0]) is str and KeyError not in mro_of(kind):
        return args[0]  # which may be too long to copy
    return str(error)


def exception_text(error: BaseException) -> Any:
    """Return `Type: message`; the arguments where the message is the program's own code."""
    message = own_message(error)
    name = type_name(type(error))
    if message is not None:
        return said(f"{name}: {message}" if message else name)
    args = BaseException.args.__get__(error)  # type: ignore[attr-defined]
    return {TYPE: name, "args": args}


# instances of ORM classes


def sqlalchemy_instance(value: Any) -> dict[str, Any]:
    """Return the identity and the loaded columns of a mapped instance; nothing is loaded."""
    stored = stored_dict(value)
    fields: dict[str, Any] = {TYPE: type_name(type(value))}
    state = stored.get("_sa_instance_state")
    key = stored_dict(state).get("key") if state is not None else None
    if type(key) is tuple and len(key) > 1:
        fields["identity"] = key[1]
    fields.update((k, v) for k, v in stored.items() if type(k) is str and not k.startswith("_"))
    return fields


def peewee_instance(value: Any) -> dict[str, Any]:
    data = stored_dict(value).get("__data__")
    return {TYPE: type_name(type(value)), **(data if type(data) is dict else {})}


def queryset_text(value: Any) -> Any:
    model = stored_dict(value).get("model")
    of = ""
    if model is not None and type in mro_of(type(model)):
        of = f" of {type_name(model)}"
    return Said(f"<{type_name(type(value))}{of}>")


def tag_fields(value: Any) -> dict[str, Any]:
    """Return name and attributes of an element of Beautiful Soup, and not its whole document."""
    stored = stored_dict(value)
    contents = stored.get("contents")
    fields: dict[str, Any] = {TYPE: type_name(type(value)), "name": stored.get("name")}
    fields["attrs"] = stored.get("attrs")
    if type(contents) is list:
        fields["children"] = len(contents)
        texts = [str.__str__(item) for item in contents[:20] if str in mro_of(type(item))]
        fields["text"] = "".join(texts)[:1_000]
    return fields
