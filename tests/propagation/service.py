"""Programs of a distributed application, for test_services.py: `service.py ROLE …`."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import honeytrace
from honeytrace.propagation import ASGIMiddleware, celery, httpx_hooks

BROKER = os.environ.get("TEST_BROKER", "")


def front(port: int, back: str) -> None:
    """A web service that asks another one and leaves the rest to a worker.

    Asked for `die-in-front`, it is killed once the service behind has answered.
    """
    import httpx
    import uvicorn
    from fastapi import FastAPI

    client = httpx.AsyncClient(event_hooks=httpx_hooks(), timeout=20)

    @honeytrace.trace_session
    async def front_handler(word: str) -> str:
        tasks().send_task("later", [word])
        try:
            answer = (await client.get(f"{back}/{word}")).text
        except httpx.HTTPError as error:
            return type(error).__name__
        if word == "die-in-front":
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    celery()
    app = FastAPI()
    app.add_middleware(ASGIMiddleware, trust=True)
    app.get("/{word}")(front_handler)
    uvicorn.run(app, port=port, log_level="warning")


def back(port: int) -> None:
    """The service behind; asked for `die` it is killed while it answers."""
    import uvicorn
    from fastapi import FastAPI

    app = FastAPI()
    app.add_middleware(ASGIMiddleware, trust=True)

    @app.get("/{word}")
    @honeytrace.trace_session
    async def back_handler(word: str) -> str:
        with honeytrace.session("look up", inputs={"word": word}):
            pass
        if word == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        return word.upper()

    uvicorn.run(app, port=port, log_level="warning")


def tasks() -> Any:
    """The Celery application: messages are files, so that no broker has to run."""
    from celery import Celery

    app = Celery("bees", broker="filesystem://", set_as_current=True)
    app.conf.broker_transport_options = {
        "data_folder_in": BROKER,
        "data_folder_out": BROKER,
        "control_folder": BROKER + "-control",
    }
    app.conf.task_ignore_result = True

    @app.task(name="later")
    @honeytrace.trace_session
    def worker_task(word: str) -> str:
        with honeytrace.session("spell", inputs={"word": word}):
            pass
        if word == "die-in-worker":
            os.kill(os.getpid(), signal.SIGKILL)
        return word[::-1]

    return app


def worker() -> None:
    """A Celery worker of one process."""
    celery()
    app = tasks()
    arguments = ["worker", "--pool=solo", "--loglevel=WARNING", "--without-gossip"]
    app.worker_main([*arguments, "--without-mingle", "--without-heartbeat"])


if __name__ == "__main__":
    roles = {"front": front, "back": back, "worker": worker}
    role, *rest = sys.argv[1:]
    roles[role](*(int(each) if each.isdigit() else each for each in rest))  # type: ignore[operator]
