"""Values that are recorded as one short text: code, modules, handles, iterators and services."""

from __future__ import annotations

import io
import types
from typing import Any, Final

from .introspect import (
    ByClass,
    full_name,
    is_library_class,
    module_name,
    mro_of,
    stored_dict,
    type_name,
)
from .redact import Label, Said
from .scalars import said

_module_dict = vars(types.ModuleType)["__dict__"].__get__
_function_globals = vars(types.FunctionType)["__globals__"].__get__
_function_module = vars(types.FunctionType)["__module__"].__get__


def _label(kind: type) -> Label:
    return Label(f"<{full_name(kind)}>")


_label_of: Final = ByClass(_label)


def type_text(value: Any) -> Label:
    """Return `<module.Type>`."""
    label: Label = _label_of(type(value))
    return label


def class_text(value: Any) -> Label:
    """Return the full name of a class."""
    return Label(full_name(value))


def module_text(value: Any) -> Said:
    name = _module_dict(value).get("__name__")
    return said(f"<module {name if type(name) is str else '?'}>")


def function_text(value: Any) -> Said:
    """Return `module.qualname` of a function."""
    module = _function_module(value)
    if type(module) is not str:
        module = _function_globals(value).get("__name__")
    name = value.__qualname__
    return said(f"{module}.{name}" if type(module) is str else name)


def builtin_text(value: Any) -> Said:
    """Return the name of a builtin; of a bound one with the type it is bound to."""
    bound, name = value.__self__, value.__name__
    if bound is None:
        return said(name)
    if types.ModuleType in mro_of(type(bound)):
        module = _module_dict(bound).get("__name__")
        return said(f"{module}.{name}")
    owner = bound if type in mro_of(type(bound)) else type(bound)
    return said(f"{full_name(owner)}.{name}")


def method_text(value: Any) -> Any:
    """Return `module.Type.method` of a bound method."""
    function = types.MethodType.__dict__["__func__"].__get__(value)
    if type(function) is types.FunctionType:
        return function_text(function)
    owner = type(types.MethodType.__dict__["__self__"].__get__(value))
    return Said(f"<method of {full_name(owner)}>")


def descriptor_text(value: Any) -> Said:
    """Return `Type.method` of an unbound builtin method."""
    return said(f"{full_name(value.__objclass__)}.{value.__name__}")


def generator_text(value: Any) -> Said:
    """Return the kind and the name of a generator or coroutine, which is not advanced."""
    return said(f"<{type(value).__name__} object {value.__qualname__}>")


def file_text(value: Any) -> Said | Label:
    """Return the name and the mode of an open file."""
    kind = type(value)
    raw, mode = value, None
    if kind is io.TextIOWrapper:
        raw = io.TextIOWrapper.__dict__["buffer"].__get__(value)
        mode = stored_dict_of_file(value).get("mode")
    if type(raw) in (io.BufferedReader, io.BufferedWriter, io.BufferedRandom):
        raw = type(raw).__dict__["raw"].__get__(raw)
    if type(raw) is not io.FileIO:
        return type_text(value)
    name = stored_dict_of_file(raw).get("name")
    mode = mode if type(mode) is str else io.FileIO.__dict__["mode"].__get__(raw)
    shown = repr(name) if type(name) in (str, int, bytes) else "?"
    return said(f"<{type_name(kind)} {shown} mode={mode!r}>")


def stored_dict_of_file(value: Any) -> dict[str, Any]:
    stored = object.__getattribute__(value, "__dict__")
    return stored if type(stored) is dict else {}


def logger_text(value: Any) -> Said:
    name = stored_dict(value).get("name")
    return said(f"<logging.Logger {name!r}>" if type(name) is str else "<logging.Logger>")


_CODE: Final = (
    *(types.CodeType, types.FrameType, types.TracebackType, types.CellType, property),
    *(staticmethod, classmethod, super, types.GetSetDescriptorType, types.MemberDescriptorType),
    *(object, type(NotImplemented), type(...)),
)
_ITERATORS: Final = tuple(
    map(
        type,
        (
            *(iter([]), iter(()), iter({}), iter({}.values()), iter({}.items()), iter(set())),
            *(iter(""), iter(b""), iter(range(0)), iter(map(str, ())), reversed([])),
            *(filter(None, ()), zip(), enumerate(())),
        ),
    )
)

OPAQUE_RULES: Final[dict[type, Any]] = {
    **dict.fromkeys(_CODE, type_text),
    **dict.fromkeys(_ITERATORS, type_text),
    type: class_text,
    types.ModuleType: module_text,
    types.FunctionType: function_text,
    types.BuiltinFunctionType: builtin_text,
    types.MethodType: method_text,
    types.MethodWrapperType: builtin_text,
    types.WrapperDescriptorType: descriptor_text,
    types.MethodDescriptorType: descriptor_text,
    types.ClassMethodDescriptorType: descriptor_text,
    types.GeneratorType: generator_text,
    types.CoroutineType: generator_text,
    types.AsyncGeneratorType: generator_text,
    io.TextIOWrapper: file_text,
    io.BufferedReader: file_text,
    io.BufferedWriter: file_text,
    io.BufferedRandom: file_text,
    io.FileIO: file_text,
    io.BytesIO: type_text,
    io.StringIO: type_text,
}
del OPAQUE_RULES[object]  # `object` itself is no rule

_SERVICES_TEXT: Final = (
    "_asyncio _contextvars _queue _socket _ssl _thread aiohttp anthropic asyncio"
    " asyncpg boto3 botocore chromadb cohere concurrent confluent_kafka contextvars"
    " elasticsearch fastapi flask google groq grpc httpcore httpx ibm_db kafka logging"
    " mistralai motor multiprocessing mysql openai opensearchpy pika pinecone playwright psycopg"
    " psycopg2 psycopg_pool pymongo pymysql qdrant_client queue redis replicate requests"
    " selenium selectors socket sqlite3 sqlalchemy ssl starlette subprocess threading tiktoken"
    " tokenizers torch transformers urllib3 uvicorn voyageai weakref weaviate zmq"
)
_SERVICES: Final = frozenset(_SERVICES_TEXT.split())


def is_service(kind: type) -> bool:
    """Tell whether a type comes from a library of clients, handles and models.

    The class itself and its bases count, so a client class of the program is a client.
    """
    return any(module_name(base).partition(".")[0] in _SERVICES for base in mro_of(kind))


def is_builtin_type(kind: type) -> bool:
    """Tell whether a type without a rule is part of the interpreter."""
    return module_name(kind) == "builtins" and is_library_class(kind, "builtins", type_name(kind))
