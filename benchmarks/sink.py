"""A loopback server that takes whatever a tracing library sends, and tells what it received.

    python -m benchmarks.sink [--port N] [--latency SECONDS] [--mode ok|hang]

Prints its address. Every request is answered as some library of the comparison expects, after the
latency; in mode `hang`, never. `GET /_received` answers `{"markers": …, "requests": …, "bytes": …}`
since the last `GET /_reset`: every call of the benchmarks carries a marker of its own, `~m123~`,
which is searched in the bodies, decompressed. Standard library alone; zstandard where it is used.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import re
import zlib
from typing import Any

MARKER = re.compile(rb"~m(\d+)~")
NOBODY = "00000000-0000-4000-8000-000000000000"
FIELDS = ("session_id", "event_id", "org_id", "workspace_id", "project_id")
ANSWERS: list[tuple[str, int, bytes]] = [
    ("/v1/info", 200, b'{"project_name": "bench", "project_url": "http://127.0.0.1/"}'),  # logfire
    ("/info", 200, b'{"instance_flags": {"zstd_compression_enabled": true}}'),  # langsmith
    ("/runs/", 202, b"{}"),
    ("/is-alive/", 200, b'{"healthy": true, "components": [], "version": "9.9.9"}'),  # opik
    ("/v1/private/", 204, b""),
    ("/otel/", 200, b""),  # OTLP: an empty ExportTraceServiceResponse
    ("/traces", 200, b""),
    ("", 200, json.dumps({"success": True, **dict.fromkeys(FIELDS, NOBODY)}).encode()),  # HoneyHive
]
"""Path contains → status and body; the first that fits."""


class Received:
    """What came in, kept as it came, so that counting costs nothing while others are measured."""

    def __init__(self) -> None:
        self.bodies: list[tuple[str, bytes]] = []
        self.requests = self.bytes = 0
        self.markers: set[bytes] = set()

    def add(self, encoding: str, body: bytes) -> None:
        self.requests += 1
        self.bytes += len(body)
        self.bodies.append((encoding, body))

    def told(self) -> dict[str, int]:
        while self.bodies:
            self.markers.update(MARKER.findall(decoded(*self.bodies.pop())))
        return {"markers": len(self.markers), "requests": self.requests, "bytes": self.bytes}


def decoded(encoding: str, body: bytes) -> bytes:
    if encoding == "gzip":
        return gzip.decompress(body)
    if encoding == "deflate":
        return zlib.decompress(body)
    if encoding == "zstd":
        import zstandard

        with zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True) as whole:
            return bytes(whole.read())
    return body


class Server:
    def __init__(self, latency: float, hangs: bool) -> None:
        self.latency, self.hangs = latency, hangs
        self.received = Received()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                method, path, headers = await self.head(reader)
                body = await self.body(reader, headers)
                status, answer = await self.answer(method, path, headers, body)
                kind = "application/json" if answer else "application/x-protobuf"
                writer.write(
                    b"HTTP/1.1 %d OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
                    % (status, kind.encode(), len(answer), answer)
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def head(self, reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str]]:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ")
        pairs = (line.partition(":") for line in lines[1:] if line)
        return method, path, {name.lower(): value.strip() for name, _, value in pairs}

    async def body(self, reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            return await reader.readexactly(int(headers.get("content-length", 0)))
        chunks = []
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            chunks.append((await reader.readexactly(size + 2))[:-2])
        await reader.readuntil(b"\r\n")
        return b"".join(chunks)

    async def answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, bytes]:
        if path == "/_reset":
            self.received = Received()
        if path in ("/_reset", "/_received"):
            return 200, json.dumps(self.received.told()).encode()
        if self.hangs:
            await asyncio.Event().wait()
        self.received.add(headers.get("content-encoding", ""), body)
        if self.latency:
            await asyncio.sleep(self.latency)
        return next((status, reply) for part, status, reply in ANSWERS if part in path)


async def serve(port: int, latency: float, hangs: bool) -> None:
    server = await asyncio.start_server(
        Server(latency, hangs).talk, "127.0.0.1", port, limit=1 << 20, backlog=1024
    )
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    async with server:
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--mode", choices=["ok", "hang"], default="ok")
    args: Any = parser.parse_args()
    try:
        asyncio.run(serve(args.port, args.latency, args.mode == "hang"))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
