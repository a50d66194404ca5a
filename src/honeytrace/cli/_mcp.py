"""`mcp`: the six verbs for coding agents, over the Model Context Protocol on stdin and stdout.

The protocol's stdio transport is one JSON-RPC message a line. Only the part that a server of tools
needs is here, since importing the official SDK takes longer (0.9 s of CPU) than everything else;
the tests drive this server with the SDK's client. Source: modelcontextprotocol.io/specification.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import IO, Any

import click
import orjson

from .._base.version import __version__
from ..errors import HoneytraceError
from ..lookup.evidence import DEFAULT
from ..lookup.evidence.budget import cut, quoted
from ..lookup.evidence.tools import GUIDE, TOOLS, call
from . import _options
from ._desk import Desk

_VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""Versions of the protocol, the newest first, that are the same as far as this server goes."""

_PARSE_ERROR, _INVALID, _NO_METHOD = -32700, -32600, -32601
"""Codes of JSON-RPC 2.0."""

_LONGEST = 1 << 20
"""Bytes of one message."""


@click.command()
@click.option(
    "--budget",
    metavar="TOKENS",
    type=click.IntRange(min=400),
    default=DEFAULT,
    help="Tokens of one answer, at most.",
)
@_options.store
def mcp(budget: int, store: str | None) -> None:
    """Serve recorded sessions to a coding agent, over the Model Context Protocol on stdio.

    `honeytrace setup` writes a client's configuration. The tools are find, outline, read, compare,
    around, and note, the only one that writes.
    """
    serve(sys.stdin.buffer, sys.stdout.buffer, Desk(store, budget))


def serve(source: IO[bytes], target: IO[bytes], desk: Desk) -> None:
    """Answer messages until the end of the input."""
    try:
        while line := source.readline(_LONGEST + 1):
            if len(line) > _LONGEST:
                while line and not line.endswith(b"\n"):  # the rest of it
                    line = source.readline(_LONGEST)
                reply: Any = _error(None, _INVALID, f"a message has at most {_LONGEST:,} bytes")
            elif not line.strip():
                continue
            else:
                reply = _answer(line, desk)
            if reply:
                target.write(orjson.dumps(reply) + b"\n")
                target.flush()
    finally:
        desk.close()


def _answer(line: bytes, desk: Desk) -> Any:
    """Return the reply to a message, or to a batch of them; None if it needs no reply."""
    try:
        message = orjson.loads(line)
    except ValueError:
        return _error(None, _PARSE_ERROR, "this is not JSON")
    if isinstance(message, list):  # a batch, in the version of March 2025
        return [reply for each in message if (reply := _one(each, desk)) is not None]
    return _one(message, desk)


def _one(message: Any, desk: Desk) -> dict[str, Any] | None:
    if not isinstance(message, dict) or not isinstance(message.get("method"), str):
        if isinstance(message, dict) and ("result" in message or "error" in message):
            return None  # a reply, though this server asks nothing
        return _error(None, _INVALID, "this is not a request")
    if "id" not in message:
        return None  # a notification
    number, method = message["id"], message["method"]
    if not isinstance(number, (str, int, float)) or isinstance(number, bool):
        return _error(None, _INVALID, "the id of a request is a string or a number")
    params = message.get("params")
    params = params if isinstance(params, dict) else {}
    if method == "initialize":
        return _result(number, _greeting(params))
    if method == "ping":
        return _result(number, {})
    if method == "tools/list":
        return _result(number, {"tools": TOOLS})
    if method == "tools/call":
        return _result(number, _called(params, desk))
    return _error(number, _NO_METHOD, f"there is no method {method[:60]!r} here")


def _greeting(params: Mapping[str, Any]) -> dict[str, Any]:
    asked = params.get("protocolVersion")
    return {
        "protocolVersion": asked if asked in _VERSIONS else _VERSIONS[0],
        "capabilities": {"tools": {"listChanged": False}},
        "serverInfo": {"name": "honeytrace", "version": __version__},
        "instructions": GUIDE,
    }


def _called(params: Mapping[str, Any], desk: Desk) -> dict[str, Any]:
    """Return the result of a tool; an error is a result, too, so that the model can read it."""
    arguments = params.get("arguments") or {}
    name = params.get("name")
    try:
        if not isinstance(name, str) or not isinstance(arguments, dict):
            raise HoneytraceError("a tool is called with a name and an object of arguments")
        with desk.evidence() as evidence:
            text = call(evidence, name, arguments).text
    except (HoneytraceError, OSError) as error:
        text, failed = quoted({"error": cut(str(error), 600)}), True
    except Exception as error:  # noqa: BLE001 - one call never ends the server
        text, failed = quoted({"error": f"this cannot be read: {type(error).__name__}"}), True
    else:
        failed = False
    return {"content": [{"type": "text", "text": text}], "isError": failed}


def _result(number: Any, result: Mapping[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "result": result}


def _error(number: Any, code: int, said: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": said}}
