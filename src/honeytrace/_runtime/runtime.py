"""The one mutable global: the runtime, which is a configuration and everything that runs under it.

Nothing runs until the first session is recorded. Then the environment is read, unless `configure`
was called before. Capture knows this module only through the hooks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .. import _config
from .._base.interrupts import interrupts
from .._base.lazy import logger, ready
from .._base.native_locks import RLock
from .._capture.coerce import as_id, as_mapping, as_text
from .._capture.exceptions import error_text
from .._capture.hooks import Recorder, discard, hooks, turn
from .._capture.names import mask_fixed
from .._capture.sampling import Sampler
from .._capture.session import Session
from .._config import Config
from .._delivery.flusher import Flusher
from .._durability.journal import note_exit
from .._record.merge import merge_objects, receipt_details
from .._record.record import MERGED, RESERVED, Update
from ..errors import ConfigurationError
from . import process
from .destination import Destination
from .keeper import Keeper
from .names import with_masked_names

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .settings import Settings

_DELIVERY_SHARE = 0.8
"""The part of `exit_timeout` for delivery. The rest is for everything that follows: the step that
overruns, records that are written to disk, and the interpreter, which waits for busy threads."""


class Runtime:
    """A configuration in force. It takes over the pending items, memory and books of `before`."""

    def __init__(
        self, config: Config, *, memory: bool = False, before: Runtime | None = None
    ) -> None:
        # not at `import honeytrace`: these compile patterns and import datetime
        from .._snapshot.limits import Limits
        from .._snapshot.redact import redactor
        from .._snapshot.rules import Rules
        from .._snapshot.snapshotter import Snapshotter

        self.is_broken = False
        """True if the environment has an invalid setting, so that nothing is recorded."""
        self.config = config
        place = before.destination if before else None
        self.destination: Destination = Destination(config, memory, place)
        self.redactor = redactor(config.redact)
        limits = Limits(config.max_bytes, config.max_depth, config.max_items)
        self.snapshotter = Snapshotter(limits, self.redactor, Rules(config.snapshot))
        self.sampler = Sampler(config)
        self.left_out = 0 if before is None else before.sampled_out
        self.spans_left_out: int = before.spans_left_out if before else 0
        """Number of spans that the OpenTelemetry bridge did not record."""
        self.capture: Callable[[Session | Update], None] | None = before.capture if before else None
        """Function that takes everything in place of the queue, if a test asked for it."""
        make_sink = self.destination.sink
        self.flusher: Flusher = (
            before.flusher if before else Flusher(config, make_sink, process.outlive_worker)
        )
        older = before.keeper if before else None
        self.keeper: Keeper = Keeper(config, self.flusher, make_sink, _lock, older)

    def serves(self, config: Config, memory: bool) -> bool:
        """Return whether this runtime has the same configuration."""
        in_memory = memory or config.store == ":memory:"
        return self.config == config and (self.destination.memory is not None) == in_memory

    @property
    def sampled_out(self) -> int:
        return self.left_out + self.sampler.left_out

    def finish(self) -> None:
        """Deliver everything at the end of the process, so that it ends in `exit_timeout` seconds.

        Sessions recorded afterwards have their own journal. The hooks let go of this runtime: they
        are held from C, and would keep a sink or a redact function of the program alive. With it
        they would keep the program's globals, whose open files would lose their buffered text.
        """
        seconds = self.config.exit_timeout * _DELIVERY_SHARE
        deadline = time.monotonic() + seconds
        self.keeper.end()
        self.flusher.finish(seconds)
        self.keeper.join(deadline - time.monotonic())
        self.destination.wait_for_others(max(deadline - time.monotonic(), 0))
        self.destination.close()
        note_exit()
        if self.keeper.journal is not None:
            self.keeper.retire()
        if self is _runtime:
            _wire_first(on=self.config.enabled)

    def redact(self, text: str) -> str:
        return text if self.redactor is None else self.redactor.text(text)

    def wire(self) -> None:
        """Make capture record through this runtime."""
        hooks.use(
            Recorder(
                on=self.config.enabled,
                # every rate below 1.0 stays below it as a double
                rate=1.0 if self.config.sample_rate == 1.0 else self.config.sample_rate - 1e-9,
                sample=self.sampler,
                submit=self.capture or self.flusher.queue.put,
                keep=self.capture or self.flusher.queue.keep,
                opened=discard,
                update=update,
                encode=self.snapshotter.encode,
                redact=self.redact,
                session_name=self.config.session_name,
            )
        )
        mask_fixed(self.redact)
        self.wire_journal()
        try:
            from .._capture import threads as _threads  # imports concurrent.futures, 4 ms
        except RuntimeError:  # the main thread has ended, so no pool can be created
            return
        if self.config.propagate_threads:
            _threads.install()
        else:
            _threads.uninstall()

    def wire_journal(self) -> None:
        """Connect capture to the journal."""
        if self.destination.memory is None and self.capture is None:
            self.keeper.wire()
        else:
            hooks.opened = discard


_lock = RLock()
_runtime: Runtime | None = None
_inherited: Runtime | None = None
"""The runtime of the parent, in a forked child that has recorded nothing yet."""
_arguments: dict[str, Any] = {}


def configure(**settings: Unpack[Settings]) -> None:
    """Configure recording; docs/configuration.md describes every setting.

    Settings from earlier calls stay in force; None resets one to the environment or its default.
    Pending items are delivered first, under the old configuration, for at most its `exit_timeout`
    seconds. Items that remain are delivered under the new one. Raises ConfigurationError. It has no
    effect in an interpreter in which nothing can be recorded.
    """
    global _runtime, _inherited
    with _lock:
        process.prepare_for_forks()
        arguments = {**_arguments, **settings}
        config = with_masked_names(_config.load(arguments))
        if not ready():
            return
        if _runtime is not None and _runtime.serves(config, _in_memory(arguments)):
            _arguments.update(settings)
            return
        while True:
            old = _runtime
            new = Runtime(config, memory=_in_memory(arguments), before=old)
            if _runtime is old:  # otherwise a signal handler has recorded meanwhile
                break
        if old is not None:
            old.flusher.flush(old.config.exit_timeout, patient=False)
        _arguments.update(settings)
        _runtime, _inherited = new, None
        new.flusher.serve(config, new.destination.sink)
        if old is not None:
            old.keeper.end()
            new.keeper.take_over(old.keeper)
        new.wire()
        if old is not None:
            old.keeper.retire()


def _in_memory(arguments: Mapping[str, Any]) -> bool:
    """Return whether to record in memory: under pytest, unless a destination was asked for."""
    asked = ("store", "sink", "api_key", "server_url")
    return _config.under_test() and not any(
        arguments.get(name) or os.environ.get(f"HONEYTRACE_{name.upper()}") for name in asked
    )


def active() -> Runtime | None:
    """Return the runtime; None while nothing has been configured or recorded."""
    return _runtime


def runtime() -> Runtime:
    """Return the runtime; without one, configure it from the environment."""
    global _runtime
    if _runtime is None:
        with _lock:
            if _runtime is None and _inherited is not None:
                _take_over(_inherited)
            elif _runtime is None:
                try:
                    configure()
                except ConfigurationError as error:
                    logger.warning("honeytrace records nothing: %s", error)
                    _runtime = Runtime(Config(enabled=False, store=":memory:"))
                    _runtime.is_broken = True
                    _runtime.wire()
    assert _runtime is not None
    return _runtime


def _take_over(parent: Runtime) -> None:
    """Make the runtime of a forked child: the parent's settings, but its own queue and files."""
    global _runtime, _inherited
    new = Runtime(parent.config, memory=parent.destination.memory is not None)
    new.capture = parent.capture
    _runtime, _inherited = new, None
    new.wire()


def settings() -> Config:
    """Return the configuration in force; without one, read the environment but start nothing."""
    work = _runtime or _inherited
    return _config.load(_arguments) if work is None else work.config


def update(session_id: str, fields: Mapping[str, Any]) -> None:
    rt = runtime()
    try:
        receipt: list[Any] = []
        encoded = {name: _encoded(rt, name, fields[name], receipt) for name in fields}
        details = receipt_details(
            receipt, (each for each in ("inputs", "outputs") if each in fields)
        )
        if details:
            notes = rt.snapshotter.encode({RESERVED: details})
            encoded["metadata"] = merge_objects(encoded.get("metadata"), notes) or notes
        update = Update(session_id, encoded)
        journal = rt.keeper.ensure()
        encoder, key, taken = rt.flusher.encoder, id(update), False
        places: Any = encoder.slots
        try:
            if journal is not None:
                places[key] = slot = journal.noted(update)  # no signal comes in between
                if slot is None:
                    del places[key]
            taken = (rt.capture or rt.flusher.queue.add)(update) is None
        except BaseException:
            if not taken:  # if it is in the queue, whoever takes the place first releases it
                encoder.release(update)
            raise
    except Exception as error:
        if interrupts(error):
            raise
        hooks.unrecorded += 1
        logger.warning("honeytrace could not record an update", exc_info=True)


def _encoded(rt: Runtime, name: str, value: Any, receipt: list[Any]) -> bytes:
    if name in MERGED:
        value = as_mapping(value)
    elif name == "error":
        text = error_text(value) if isinstance(value, BaseException) else str(value)
        value = rt.redact(text)
    elif name == "children_ids":
        value = [as_id(child, rt.redact) for child in value]
    elif name != "outputs":
        value = rt.redact(as_text(value))
    return rt.snapshotter.encode(value, receipt, name)


@contextmanager
def replaced(runtime: Runtime, arguments: Mapping[str, Any]) -> Iterator[None]:
    """Make capture record through `runtime` while the block runs; `arguments` are those of its
    `configure`."""
    global _runtime
    before, arguments_before = _runtime, _arguments.copy()
    saved = hooks.saved()
    hooks.unrecorded = 0
    _runtime = runtime
    _arguments.update(arguments)
    runtime.wire()
    try:
        yield
    finally:
        _runtime = before
        _arguments.clear()
        _arguments.update(arguments_before)
        hooks.restore(saved)
        if before is None or not before.config.propagate_threads:
            from .._capture import threads as _threads

            _threads.uninstall()


def unconfigured() -> None:
    """Restore the state at import: the first session configures."""
    global _runtime, _inherited
    _runtime = _inherited = None
    _arguments.clear()
    _wire_first(on=True)


def begin() -> None:
    """Make the runtime if there is none and record through it; the hooks call this by name."""
    work = runtime()
    if not hooks.configured:
        work.wire()


def _wire_first(*, on: bool) -> None:
    """Make the next traced call create the runtime."""
    hooks.use(None)
    turn(on=on)


def configuring() -> Any:
    """Return the lock that is held while a configuration begins."""
    return _lock


def renew() -> None:
    """Start empty in a forked child; the parent delivers its own items. The child gets new locks
    and ids, and makes its runtime at its first traced call, because a fork must not import."""
    global _lock, _runtime, _inherited
    _lock = RLock()
    hooks.reseed()
    if _runtime is not None:
        _runtime.flusher.forget()
        _wire_first(on=_runtime.config.enabled)
        _runtime, _inherited = None, _runtime


process.watch()
unconfigured()


configure.__module__ = "honeytrace"  # where users find it
