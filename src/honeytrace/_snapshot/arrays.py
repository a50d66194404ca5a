"""Arrays, tables, tensors and images, read through the library's own classes.

Small arrays are recorded as values, large ones as shape, type and head. The head of a table comes
from the blocks that it stores: subclasses, and warnings about duplicate columns, stay out of it.
"""

from __future__ import annotations

import sys
from itertools import islice
from typing import Any, Final

from .containers import Pairs
from .introspect import full_name, mro_of, stored_dict, type_name
from .objects import TYPE
from .secrets import sensitive_by_default

_WHOLE: Final = 1_000  # elements; a larger array is shown by its head
_HEAD: Final = 8
_ROW: Final = 64  # columns of a table, values of a row with names
_PYTHON: Final = (bool, int, float, complex, str, bytes)


def library_type(value: Any) -> str:
    """Return the top-level module and the name of a type: `pandas.DataFrame`."""
    return f"{full_name(type(value)).partition('.')[0]}.{type_name(type(value))}"


def numpy_array(value: Any) -> Any:
    numpy = sys.modules["numpy"]
    array = numpy.ndarray.view(value, numpy.ndarray)
    if array.dtype.names is not None:  # tolist() would drop the names that redaction goes by
        return _shaped(value, array)
    if array.size > _WHOLE:
        return {**_shaped(value, array), "head": array.flat[:_HEAD].tolist()}
    if array.dtype.kind in "mM":  # tolist() makes bare integers of nanoseconds
        array = array.astype(str)
    return array.tolist()


def _shaped(value: Any, array: Any) -> dict[str, Any]:
    names = array.dtype.names  # of fields: their formats beside them would read as secrets
    dtype = str(array.dtype) if names is None else f"fields {', '.join(names)}"
    return {TYPE: library_type(value), "shape": list(array.shape), "dtype": dtype}


def numpy_scalar(value: Any) -> Any:
    generic = sys.modules["numpy"].generic
    if generic.dtype.__get__(value).kind in "mM":  # item() makes bare integers of nanoseconds
        return sys.modules["numpy"].asarray(value).astype(str).item()
    item = generic.item(value)
    if type(item) in _PYTHON:
        return item
    return {TYPE: library_type(value)} if type(item) is tuple else str(value)


def pandas_table(value: Any) -> Any:
    blocks = stored_dict(value)["_mgr"]
    columns, rows = blocks.axes
    names = columns[:_ROW].tolist()
    head = Pairs(
        ((name, _head(blocks.iget_values(i), _HEAD)) for i, name in enumerate(names)), len(columns)
    )
    return {TYPE: library_type(value), "shape": [len(rows), len(columns)], "head": head}


def pandas_column(value: Any) -> Any:
    """Return a column by its head, a row (whose index are names) as pairs."""
    stored = stored_dict(value)
    blocks, name = stored["_mgr"], stored.get("_name")
    (index,) = blocks.axes
    size = len(index)
    labels = index[:_ROW].tolist()
    values = blocks.iget_values(0) if hasattr(blocks, "iget_values") else blocks.array
    head: Any = _head(values, _HEAD)
    if labels and all(type(label) is str for label in labels):
        head = Pairs(zip(labels, _head(values, _ROW), strict=False), size)
    elif type(name) is str and sensitive_by_default(name):
        head = {name: head}
    return {TYPE: library_type(value), "shape": [size], "head": head}


def pandas_index(value: Any) -> Any:
    pandas = sys.modules["pandas"]
    size = pandas.Index.__len__(value)
    return {TYPE: library_type(value), "shape": [size], "head": value[:_HEAD].tolist()}


def _head(values: Any, size: int) -> list[Any]:
    """Return the first values of a numpy or extension array as Python objects."""
    head = values[:size]
    numpy = sys.modules["numpy"]
    if numpy.ndarray in mro_of(type(head)):
        found = numpy_array(head)
        return found if type(found) is list else list(head)
    return list(islice(iter(head), size))


def polars_table(value: Any) -> Any:
    head = value.head(_HEAD).to_dict(as_series=False)
    return {TYPE: library_type(value), "shape": list(value.shape), "head": head}


def polars_column(value: Any) -> Any:
    head: Any = value.head(_HEAD).to_list()
    head = {value.name: head} if sensitive_by_default(value.name) else head
    return {TYPE: library_type(value), "shape": list(value.shape), "head": head}


def tensor(value: Any) -> dict[str, Any]:
    """Return shape and type of a tensor: reading elements from another device would block."""
    return {
        TYPE: library_type(value),
        "shape": list(value.shape),
        "dtype": str(value.dtype),
    }


def image(value: Any) -> dict[str, Any]:
    stored = stored_dict(value)
    size, mode = stored.get("_size", stored.get("size")), stored.get("_mode", stored.get("mode"))
    kind = next(b for b in mro_of(type(value)) if type_name(b) == "Image")
    return {TYPE: f"PIL.{type_name(kind)}", "size": size, "mode": mode}


def timestamp_text(value: Any) -> Any:
    return "NaT"


ARRAY_RULES: Final[dict[tuple[str, str], Any]] = {
    ("numpy", "ndarray"): numpy_array,
    ("numpy", "generic"): numpy_scalar,
    ("pandas", "DataFrame"): pandas_table,
    ("pandas.core.frame", "DataFrame"): pandas_table,
    ("pandas", "Series"): pandas_column,
    ("pandas.core.series", "Series"): pandas_column,
    ("pandas", "Index"): pandas_index,
    ("pandas.core.indexes.base", "Index"): pandas_index,
    ("pandas._libs.tslibs.nattype", "NaTType"): timestamp_text,
    ("PIL.Image", "Image"): image,
}
"""Rules by module and name of a class, for its subclasses, too."""

EXACT_ARRAY_RULES: Final[dict[tuple[str, str], Any]] = {
    ("polars.dataframe.frame", "DataFrame"): polars_table,
    ("polars.series.series", "Series"): polars_column,
    ("torch", "Tensor"): tensor,
    ("torch.nn.parameter", "Parameter"): tensor,
    ("jaxlib._jax", "ArrayImpl"): tensor,
    ("jaxlib.xla_extension", "ArrayImpl"): tensor,
}
"""Rules for these very classes, whose subclasses may have code of the program run."""
