"""OpenInference: flattened messages, documents, embeddings and tools; whole inputs and outputs.

Source: Arize-ai/openinference, spec/semantic_conventions.md.
"""

from __future__ import annotations

from typing import Any

from .content import listed, put, read_value
from .messages import answer, chat_history
from .nesting import parsed
from .shape import Attributes
from .span import Fields

_DOCUMENTS = ("retrieval.documents", "reranker.output_documents")
_PARAMETERS = ("llm.invocation_parameters", "embedding.invocation_parameters")


def read_openinference(left: Attributes, fields: Fields) -> None:
    """Fill the fields that the GenAI attributes left empty, the most specific attribute first."""
    _read_messages(left, fields)
    for name in _DOCUMENTS:
        documents = left.gather(f"{name}.")
        if documents is not None:
            rows = _unwrapped(documents, "document")
            put(fields, fields.outputs, "documents", rows, name)
    embeddings = left.gather("embedding.embeddings.")
    if embeddings is not None:
        _read_embeddings(_unwrapped(embeddings, "embedding"), fields)
    if "reranker.query" in left:
        put(fields, fields.inputs, "query", left.pop("reranker.query"), "reranker.query")
    tools = left.gather("llm.tools.")
    if tools is not None:
        schemas = [parsed(tool) for tool in _unwrapped(_unwrapped(tools, "tool"), "json_schema")]
        put(fields, fields.config, "tools", schemas, "llm.tools")
    for name in _PARAMETERS:
        if name in left:
            _read_parameters(left, name, fields)
    read_value(left, "input.value", fields.inputs, "value")
    read_value(left, "output.value", fields.outputs, "result")
    own = parsed(left.get("metadata"))
    if type(own) is dict and not own.keys() & (left.keys() | fields.metadata.keys()):
        del left["metadata"]
        fields.metadata.update(own)


def _read_messages(left: Attributes, fields: Fields) -> None:
    if not fields.inputs:
        if (messages := left.gather("llm.input_messages.")) is not None:
            fields.inputs["chat_history"] = chat_history(listed(messages))
        elif (prompts := left.gather("llm.prompts.")) is not None:
            fields.inputs["prompts"] = prompts
        elif (documents := left.gather("reranker.input_documents.")) is not None:
            fields.inputs["documents"] = _unwrapped(documents, "document")
    if not fields.outputs:
        if (messages := left.gather("llm.output_messages.")) is not None:
            fields.outputs = answer(chat_history(listed(messages)))
        elif (choices := left.gather("llm.completions.")) is not None:
            fields.outputs["choices"] = choices


def _read_parameters(left: Attributes, name: str, fields: Fields) -> None:
    """Invocation parameters; those that contradict a known value keep the attribute whole."""
    parameters = parsed(left[name])
    if type(parameters) is not dict:
        return
    target = fields.config.setdefault("hyperparameters", {})
    complete = True
    for key, value in parameters.items():
        if key in ("model", "model_name") and fields.config.get("model") == value:
            continue
        complete = target.setdefault(key, value) == value and complete
    if not target:
        del fields.config["hyperparameters"]
    if complete:
        del left[name]


def _read_embeddings(embeddings: list[Any], fields: Fields) -> None:
    rows = [dict(row) if type(row) is dict else {"vector": row} for row in embeddings]
    texts = [row.pop("text") for row in rows if "text" in row]
    if texts:
        put(fields, fields.inputs, "input", texts, "embedding.texts")
    if any(rows):
        vectors = [row["vector"] if row.keys() == {"vector"} else row for row in rows]
        put(fields, fields.outputs, "embeddings", vectors, "embedding.vectors")


def _unwrapped(value: Any, key: str) -> list[Any]:
    """`[{"document": x}, …]` as `[x, …]`."""
    return [
        item[key] if type(item) is dict and item.keys() == {key} else item for item in listed(value)
    ]
