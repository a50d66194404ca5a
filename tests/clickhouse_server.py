"""A server that speaks ClickHouse's HTTP interface, with the real engine (chdb) behind it.

A ClickHouse server cannot be installed by pip, so this one stands between clickhouse-connect's own
client and the engine. `python clickhouse_server.py` serves a free port and prints its number.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

__all__ = ["clickhouse_server"]

_TRANSPORT = re.compile(
    r"query|query_id|database|session_id|session_timeout|session_check|compress|decompress"
    r"|client_protocol_version|wait_end_of_query|send_progress_in_http_headers|buffer_size"
    r"|http_headers_progress_interval_ms|enable_http_compression|role|param_.*"
)
"""Parameters of a request that are no settings of the engine."""

_INSERT = re.compile(rb"(INSERT INTO [^\n]*) FORMAT Native\n", re.DOTALL)
_FORMAT = re.compile(r"FORMAT\s+(\w+)\s*$")


@contextmanager
def clickhouse_server(directory: str = "") -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start the server, over this directory or in memory; yields its URL and its process."""
    pytest.importorskip("chdb", reason="no chdb: pip install chdb")
    pytest.importorskip("clickhouse_connect")
    command = [sys.executable, str(Path(__file__)), directory]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            yield f"clickhouse://default@127.0.0.1:{port}/default", server
        finally:
            server.kill()


class _Engine:
    """The engine, used by one request at a time."""

    def __init__(self, directory: str) -> None:
        import chdb

        self._connection = chdb.connect(directory or ":memory:")
        self._lock = threading.Lock()
        self._settings: dict[str, str] = {}

    def run(self, body: bytes, parameters: dict[str, str]) -> tuple[bytes, str]:
        """Return the result of a statement, and its format."""
        with self._lock:
            for name, value in parameters.items():
                if not _TRANSPORT.fullmatch(name) and self._settings.get(name) != value:
                    self._connection.query(f"SET {name} = '{value}'", "TabSeparated")
                    self._settings[name] = value
            insert = _INSERT.match(body)
            if insert is not None:
                return self._insert(insert[1].decode(), body[insert.end() :]), "Native"
            given = {n[6:]: v for n, v in parameters.items() if n.startswith("param_")}
            sql = (parameters.get("query", "") + body.decode()).strip().rstrip(";")
            found = _FORMAT.search(sql)
            form = found[1] if found else "TabSeparated"
            return self._connection.query(sql, form, params=given).bytes(), form

    def _insert(self, statement: str, rows: bytes) -> bytes:
        with tempfile.NamedTemporaryFile(suffix=".native") as file:
            file.write(rows)
            file.flush()
            self._connection.query(
                f"{statement} FROM INFILE '{file.name}' FORMAT Native", "TabSeparated"
            )
        return b""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    engine: _Engine

    def do_GET(self) -> None:
        self._answer(200, b"Ok.\n")

    def do_POST(self) -> None:
        body, parameters = self._body(), self._parameters()
        kind = self.headers.get("content-type", "")
        if kind.startswith("multipart/form-data"):
            head = f"Content-Type: {kind}\r\n\r\n".encode()
            for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts():
                name = part.get_param("name", header="content-disposition")
                parameters[str(name)] = part.get_payload(decode=True).decode()
            body = b""
        try:
            result, form = self.engine.run(body, parameters)
        except Exception as error:
            code = re.search(r"Code: (\d+)", str(error))
            number = code[1] if code else "1"
            self._answer(500, str(error).encode(), {"X-ClickHouse-Exception-Code": number})
        else:
            self._answer(200, result, {"X-ClickHouse-Format": form})

    def _parameters(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
        encoding = self.headers.get("content-encoding")
        if encoding == "lz4":
            import lz4.frame

            return bytes(lz4.frame.decompress(body))
        if encoding == "zstd":
            import zstandard

            return zstandard.ZstdDecompressor().stream_reader(body).read()
        assert encoding is None, encoding
        return body

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("X-ClickHouse-Timezone", "UTC")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def main(directory: str) -> None:
    os.environ["TZ"] = "UTC"
    _Handler.engine = _Engine(directory)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
