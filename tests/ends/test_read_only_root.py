"""A container with a read-only root: every record reaches the API, and there is one warning.

The program runs in a mount namespace of its own, in which every file system is read-only. The API
stands outside; the network is shared.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from surroundings import environ

ALONE = ["unshare", "--mount", "--propagation", "private"]
if hasattr(os, "geteuid") and os.geteuid():
    ALONE[1:1] = ["--user", "--map-root-user"]
READ_ONLY = """
while read -r _ _ _ _ place _; do mount -o remount,bind,ro "$place" 2>/dev/null; done \
  < /proc/self/mountinfo
if touch "$PWD/writable" 2>/dev/null; then echo writable; exit 9; fi
exec "$@"
"""
PROGRAM = """
import honeytrace, os
@honeytrace.trace_session
def call(x): return x
for n in range(1000): call(n)
print(*honeytrace.flush(60))
stats = honeytrace.stats()
print(stats.recorded, stats.delivered, stats.pending, dict(stats.dropped), dict(stats.refused))
"""


def can_be_alone() -> bool:
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return False
    command = [*ALONE, "sh", "-c", READ_ONLY, "sh", "true"]
    return subprocess.run(command, cwd="/", capture_output=True, timeout=60).returncode == 0


def test_every_record_arrives(tmp_path: Path) -> None:
    """1,000 of 1,000 records, exact books, and one warning."""
    if not can_be_alone():
        pytest.skip("this system makes no mount namespace")
    arrived: list[str] = []

    class Api(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            arrived.append(body["session"]["session_id"])
            reply = json.dumps({"session_id": arrived[-1]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        done = subprocess.run(
            [*ALONE, "sh", "-c", READ_ONLY, "sh", sys.executable, "-c", PROGRAM],
            cwd=tmp_path,
            env=environ(
                HONEYTRACE_API_KEY="key",
                HONEYTRACE_SERVER_URL=f"http://127.0.0.1:{server.server_port}",
            ),
            capture_output=True,
            text=True,
            timeout=120,
        )
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["True 1000 0 0 0", "1000 1000 0 {} {}"]
    assert (len(arrived), len(set(arrived))) == (1000, 1000)
    (line,) = done.stderr.splitlines()
    assert "cannot keep a journal" in line
    assert list(tmp_path.iterdir()) == []
