"""The stamp of a record: the code that made it, as JSON members of honeytrace's details."""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Any

from .._base.commit import commit
from .._base.lazy import orjson
from .._base.version import __version__
from .merge import merge_objects
from .record import RESERVED, Record

_LIBRARIES = (
    *("anthropic", "autogen", "cohere", "crewai", "dspy", "groq", "haystack", "instructor"),
    *("langchain", "langchain_core", "langgraph", "litellm", "llama_index", "mistralai", "ollama"),
    *("openai", "pydantic", "pydantic_ai", "sentence_transformers", "tiktoken", "torch"),
    *("transformers", "vllm"),
)
"""Libraries that decide what a model call does."""


@lru_cache(maxsize=4096)
def root_stamp(stamp: bytes) -> bytes:
    """Return the stamp of a spec with the commit, for a root."""
    found = commit()
    if found is None:
        return stamp
    member = b'"commit":' + orjson.dumps(found.encode("utf-8", "backslashreplace").decode())
    return stamp + b"," + member if stamp else member


def without_stamp(record: Record) -> Record:
    """Return a record that names neither line nor commit, for runs that are compared as texts."""
    metadata = orjson.loads(record.metadata or b"{}")
    details = metadata.get(RESERVED, {})
    for name in ("code", "commit"):
        details.pop(name, None)
    if not details:
        metadata.pop(RESERVED, None)
    return record._replace(metadata=orjson.dumps(metadata) if metadata else None)


def with_versions(record: Record) -> Record:
    """Return a record that also names the versions of Python and of the libraries in use.

    Only libraries that the program has imported count, by the `__version__` that they store.
    """
    versions = {"honeytrace": __version__, "python": sys.version.partition(" ")[0]}
    for name in _LIBRARIES:
        found: Any = vars(sys.modules[name]).get("__version__") if name in sys.modules else None
        if type(found) is str:
            versions[name] = found[:40]
    own = orjson.dumps({RESERVED: {"versions": versions}})
    return record._replace(metadata=merge_objects(record.metadata, own))
