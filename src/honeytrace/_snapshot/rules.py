"""The rule for each type: the form of a value that is not plain JSON.

A rule takes the value and returns something simpler: a text, a number, a list, or a mapping of its
fields, whose members are rendered in turn. It reads what the value stores and calls methods of the
interpreter, the standard library and the libraries listed here only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from ..errors import ConfigurationError
from .arrays import ARRAY_RULES, EXACT_ARRAY_RULES
from .containers import COLLECTION_RULES
from .introspect import ByClass, is_library_class, module_name, mro_of, namespace_of, type_name
from .limits import SCALARS
from .objects import (
    attrs_fields,
    dataclass_fields,
    exception_text,
    peewee_instance,
    pydantic_fields,
    queryset_text,
    secret_value,
    sqlalchemy_instance,
    struct_fields,
    tag_fields,
)
from .opaque import OPAQUE_RULES, is_builtin_type, is_service, logger_text, type_text
from .rows import ROW_RULES
from .scalars import SCALAR_RULES, text_of
from .web import WEB_RULES

Rule: TypeAlias = Callable[[Any], Any]

_MARKED: Final[tuple[tuple[str, str, str, Rule], ...]] = (
    ("__pydantic_validator__", "pydantic.main", "BaseModel", pydantic_fields),
    ("__attrs_attrs__", "", "", attrs_fields),
    ("__dataclass_fields__", "", "", dataclass_fields),
    ("_sa_class_manager", "", "", sqlalchemy_instance),
    ("__struct_fields__", "msgspec", "Struct", struct_fields),
)
"""Class attributes that a library leaves, and the base class that proves its origin."""

_LIBRARIES: Final[dict[tuple[str, str], Rule]] = {
    **ARRAY_RULES,
    **WEB_RULES,
    **ROW_RULES,
    ("pydantic.types", "SecretStr"): secret_value,
    ("pydantic.types", "SecretBytes"): secret_value,
    ("pydantic.types", "Secret"): secret_value,
    ("pydantic.v1.types", "SecretStr"): secret_value,
    ("pydantic.v1.main", "BaseModel"): pydantic_fields,
    ("pydantic.main", "BaseModel"): pydantic_fields,
    ("peewee", "Model"): peewee_instance,
    ("django.db.models.query", "QuerySet"): queryset_text,
    ("django.db.models.manager", "BaseManager"): type_text,
    ("bs4.element", "Tag"): tag_fields,
    ("logging", "Logger"): logger_text,
    ("ipaddress", "_BaseAddress"): text_of,
    ("ipaddress", "_BaseNetwork"): text_of,
    ("unittest.mock", "NonCallableMock"): type_text,
    ("django.utils.functional", "LazyObject"): type_text,
    ("django.utils.functional", "Promise"): type_text,
}
_BUILTIN: Final[dict[int, Rule]] = {
    id(kind): rule
    for kind, rule in {
        **SCALAR_RULES,
        **COLLECTION_RULES,
        **OPAQUE_RULES,
        BaseException: exception_text,
    }.items()
}

opened: Final = frozenset(
    (
        *(attrs_fields, dataclass_fields, pydantic_fields, sqlalchemy_instance, struct_fields),
        *(peewee_instance, exception_text, tag_fields),
    )
)
"""Rules that open an object, which the walk does once for each."""


class Rules:
    """The rules of one configuration.

    Args:
        added: rules of the program by type; they hold for subclasses, too, and come first.

    Raises:
        ConfigurationError: for a rule that could not be used.
    """

    __slots__ = ("_added", "of")

    of: ByClass
    """Returns the rule for a type; None for an object of an unknown type."""

    def __init__(self, added: Mapping[type, Rule] | None = None) -> None:
        for kind, rule in (added or {}).items():
            if type not in mro_of(type(kind)) or not callable(rule):
                raise ConfigurationError(
                    f"snapshot: {kind!r}: {rule!r} is no rule. Give a type and a function that "
                    "returns what to record in place of a value: {Client: lambda c: c.name}"
                )
            if kind is object or any(kind is plain for plain in (*SCALARS, dict, list, tuple)):
                raise ConfigurationError(
                    f"snapshot: values of {kind.__name__} are recorded as they are. Give a class "
                    "of your own; redact= changes what plain values show"
                )
        self._added = {id(kind): (kind, rule) for kind, rule in (added or {}).items()}
        self.of = ByClass(self._find)

    def _find(self, kind: type) -> Rule | None:
        bases = mro_of(kind)
        for base in bases if self._added else ():
            if id(base) in self._added:
                return self._added[id(base)][1]
        exact: Rule | None = EXACT_ARRAY_RULES.get((module_name(kind), type_name(kind)))
        if exact is not None and is_library_class(kind, module_name(kind), type_name(kind)):
            return exact
        for base in bases:
            rule = self._of_base(base, bases)
            if rule is not None:
                return rule
        return type_text if is_service(kind) or is_builtin_type(kind) else None

    @staticmethod
    def _of_base(base: type, bases: tuple[type, ...]) -> Rule | None:
        rule: Rule | None = _BUILTIN.get(id(base))
        if rule is not None:
            return rule
        name = (module_name(base), type_name(base))
        rule = _LIBRARIES.get(name)
        if rule is not None and is_library_class(base, *name):
            return rule
        namespace = namespace_of(base)
        for mark, module, origin, marked in _MARKED:
            if mark in namespace and (
                not module or any(is_library_class(b, module, origin) for b in bases)
            ):
                return marked
        return None
