"""Workers under the servers that people deploy: what a request or a task recorded is stored."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from importlib.util import find_spec

import pytest

from ending import PATIENCE, Place, ok

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="these servers fork"),
    *(
        pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not installed")
        for name in ("celery", "gevent", "gunicorn", "uvicorn")
    ),
]

WSGI = """
def app(environ, start_response):
    n = int(environ["QUERY_STRING"])
    (hold if n == 99 else call)(n)
    start_response("200 OK", [("content-length", "0")])
    return []
"""
ASGI = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        n = int(scope["query_string"])
        (hold if n == 99 else call)(n)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
"""
GUNICORN = ["-m", "gunicorn", "calls:app", "-b", "127.0.0.1:0", "-w", "2"]
UVICORN = ["-m", "uvicorn", "calls:app", "--port", "0", "--lifespan", "off", "--no-access-log"]
UWSGI = ["-c", "import pyuwsgi, sys; pyuwsgi.run(sys.argv[1:])", "--http-socket", "127.0.0.1:0"]
LISTENS = re.compile(r"(?:http://|TCP address )127\.0\.0\.1:(\d+)")


class Server:
    """A server process and what it says on stderr, which is read all along."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.port = 0
        self.log: list[str] = []
        self._listens = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)
            if not self.port and (found := LISTENS.search(line)):
                self.port = int(found[1])
                self._listens.set()
        self._listens.set()

    def connect(self) -> HTTPConnection:
        self._listens.wait(PATIENCE)
        assert self.port, "".join(self.log)
        while True:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            try:
                connection.connect()
            except ConnectionRefusedError:  # uvicorn's parent speaks up before its workers listen
                assert self.process.poll() is None, "".join(self.log)
            else:
                return connection

    def get(self, n: int) -> None:
        with closing(self.connect()) as connection:
            connection.request("GET", f"/?{n}")
            assert connection.getresponse().status == 200, "".join(self.log)

    @contextmanager
    def request_that_hangs(self) -> Iterator[None]:
        with closing(self.connect()) as connection:
            connection.request("GET", "/?99")
            assert self.process.stdout is not None
            assert self.process.stdout.readline() == "running\n"
            yield

    def end(self, number: int, code: int) -> None:
        self.process.send_signal(number)
        assert self.process.wait(PATIENCE) == code, "".join(self.log)

    def wait(self) -> None:
        """Until the last of its processes has let go of stderr."""
        self._reader.join(PATIENCE)
        assert not self._reader.is_alive()


@pytest.mark.parametrize(
    ("program", "arguments", "code"),
    [
        pytest.param(WSGI, GUNICORN, 0, id="gunicorn sync"),
        pytest.param(WSGI, [*GUNICORN, "--threads", "2"], 0, id="gunicorn gthread"),
        pytest.param(WSGI + "call(0)", [*GUNICORN, "--preload"], 0, id="gunicorn preload"),
        pytest.param(WSGI, [*GUNICORN, "--max-requests", "3"], 0, id="gunicorn max-requests"),
        pytest.param(WSGI, [*GUNICORN, "-k", "gevent"], 0, id="gunicorn gevent"),
        pytest.param(
            WSGI + "call(0)", [*GUNICORN, "-k", "gevent", "--preload"], 0, id="gevent preload"
        ),
        pytest.param(ASGI, UVICORN, -signal.SIGTERM, id="uvicorn"),
        pytest.param(ASGI, [*UVICORN, "--workers", "2"], 0, id="uvicorn workers"),
    ],
)
def test_sigterm_to_the_master(place: Place, program: str, arguments: list[str], code: int) -> None:
    """A deployment's ordinary end: every request that was answered is stored."""
    place.write("calls.py", program)
    server = Server(place.start(*arguments))
    for n in range(1, 21):
        server.get(n)
    server.end(signal.SIGTERM, code)
    server.wait()
    assert [one for one in place.after() if one[0]] == ok(*range(1, 21))


@pytest.mark.skipif(find_spec("pyuwsgi") is None, reason="pyuwsgi is not installed")
@pytest.mark.parametrize(
    "options",
    ["--enable-threads", "", "--lazy-apps", "--gevent 10 --gevent-monkey-patch", "--gevent 10"],
)
def test_uwsgi(place: Place, options: str) -> None:
    """The same under uWSGI, with and without threads, and in a loop of gevent."""
    place.write("calls.py", WSGI)
    more = ["--wsgi-file", "calls.py", "--callable", "app", "--master", "--processes", "2"]
    server = Server(place.start(*UWSGI, *more, "--die-on-term", *options.split()))
    for n in range(1, 21):
        server.get(n)
    server.end(signal.SIGTERM, 0)
    server.wait()
    assert place.after() == ok(*range(1, 21))


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        pytest.param(WSGI, [*GUNICORN, "--threads", "4"], id="gunicorn"),
        pytest.param(ASGI, [*UVICORN, "--workers", "2"], id="uvicorn"),
    ],
)
def test_everything_killed_in_the_middle_of_a_request(
    place: Place, program: str, arguments: list[str]
) -> None:
    """A container out of memory: what was answered is stored, what hung is interrupted."""
    place.write("calls.py", program)
    server = Server(place.start(*arguments))
    for n in range(1, 21):
        server.get(n)
    with server.request_that_hangs():
        os.killpg(server.process.pid, signal.SIGKILL)
        server.process.wait(PATIENCE)
        server.wait()
    assert place.after() == [*ok(*range(1, 21)), (99, "interrupted")]


def test_gunicorn_worker_that_takes_too_long(place: Place) -> None:
    """The master kills a worker that hangs; what the worker was at is known as interrupted."""
    place.write("calls.py", WSGI)
    server = Server(place.start(*GUNICORN, "-w", "1", "--timeout", "1"))
    server.get(1)
    with server.request_that_hangs():
        server.get(2)  # by the next worker
    server.end(signal.SIGTERM, 0)
    server.wait()
    (one, two, hung) = place.after()
    assert [one, two] == ok(1, 2)
    assert hung in [(99, "interrupted"), (99, "exited")]  # gunicorn first asks it to exit


CELERY = """
from celery import Celery
app = Celery("calls", broker="filesystem://", backend="file://results")
app.conf.broker_transport_options = {
    "data_folder_in": "broker", "data_folder_out": "broker", "polling_interval": 0.05,
    "control_folder": "control",
}
@app.task
def work(n):
    return call(n)
@app.task
def stay(n):
    hold(n)
if __name__ == "__main__":
    results = [work.delay(n) for n in range(1, 21)]
    assert [r.get(timeout=60, interval=0.05) for r in results] == list(range(1, 21))
    if len(sys.argv) > 1:
        stay.delay(99)
"""
WORKER = ["-m", "celery", "-A", "calls", "worker", "-P", "prefork", "-c", "2", "-l", "warning"]
QUIET = ["--without-gossip", "--without-mingle", "--without-heartbeat"]


@pytest.fixture
def celery(place: Place) -> Place:
    for name in ("broker", "control", "results"):
        (place.path / name).mkdir()
    place.write("calls.py", CELERY)
    return place


def send(place: Place, *arguments: str) -> None:
    """Have twenty tasks done by the worker, and see that they are."""
    sender = place.start("calls.py", *arguments)
    _, complained = sender.communicate(timeout=PATIENCE)
    assert sender.returncode == 0, complained


def test_celery_prefork(celery: Place) -> None:
    """A worker that changes its children now and then, and its warm shutdown."""
    server = Server(celery.start(*WORKER, *QUIET, "--max-tasks-per-child", "3"))
    send(celery)
    server.end(signal.SIGTERM, 0)
    server.wait()
    assert celery.after() == ok(*range(1, 21))


def test_celery_prefork_killed(celery: Place) -> None:
    """A worker that is killed with its children in the middle of a task."""
    server = Server(celery.start(*WORKER, *QUIET))
    send(celery, "stay")
    assert server.process.stdout is not None
    while server.process.stdout.readline() != "running\n":  # after the banner
        assert server.process.poll() is None
    os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait(PATIENCE)
    server.wait()
    assert celery.after() == [*ok(*range(1, 21)), (99, "interrupted")]
