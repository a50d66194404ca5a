"""Stand-ins for decorated functions, which answer calls inside of open replay blocks.

A traced function calls what its cell `_ht_fn` holds. While a block is open, that is a dispatcher:
it looks for the block that its caller is inside of, and calls the decorated function where there is
none. When the last block closes, the decorated functions are put back. So replay costs nothing
while it is not used, and nothing is saved and restored in an order that blocks could break.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable, Generator
from types import FunctionType
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from .._base.lazy import orjson
from .._capture import registry
from .._capture.context import current
from .._capture.hooks import hooks
from .._capture.parameters import Binder
from .._capture.session import Session
from .._record.merge import as_object
from .._snapshot.snapshotter import Snapshotter
from .calls import Call, Caller
from .code import code_of
from .in_order import Flight
from .keys import cut_of, key_of, masks_of
from .outcomes import Outcome
from .tape import Asked

GENERATOR, COROUTINE, ASYNC_GENERATOR = 0x20, 0x80, 0x200
"""Flags of code objects, as `inspect` names them."""


class Block(Protocol):
    """An open replay block, as the dispatchers see it."""

    session: Session | None
    flight: Flight
    wide: bool
    """Whether calls outside of every block belong to it, while it is the only one."""

    def selects(self, spec: Any) -> bool: ...
    def answer(
        self, asked: Asked, fn: Any, spec: Any, *, generator: bool
    ) -> tuple[Call, Outcome] | None: ...


_lock = threading.RLock()
_open: list[Block] = []
_by_session: dict[int, Block] = {}
_installed: WeakKeyDictionary[FunctionType, tuple[Any, Any]] = WeakKeyDictionary()
"""Traced function → the function that it decorates, and its dispatcher."""


def open_block(block: Block) -> None:
    """Answer calls inside a block, of functions that are traced now or later."""
    with _lock:
        _open.append(block)
        if block.session is not None:
            _by_session[id(block.session)] = block
        registry.listen(_install)
        for traced in registry.traced_functions():
            _install(traced)


def close_block(block: Block) -> None:
    """Stop answering; the last block out puts the decorated functions back."""
    with _lock:
        _open.remove(block)
        if block.session is not None:
            _by_session.pop(id(block.session), None)
        if _open:
            return
        registry.unlisten(_install)
        for traced, (target, dispatcher) in list(_installed.items()):
            if registry.target_of(traced) is dispatcher:  # otherwise it was reloaded meanwhile
                registry.call_instead(traced, target)
        _installed.clear()


def same_name(name: str) -> int:
    """Return how many traced functions have this name."""
    return sum(registry.spec_of(each).session_name == name for each in registry.traced_functions())


def _install(traced: FunctionType) -> None:
    with _lock:
        if traced in _installed or not any(b.selects(registry.spec_of(traced)) for b in _open):
            return
        target = registry.target_of(traced)
        dispatcher = _dispatcher(traced, target)
        _installed[traced] = target, dispatcher
        registry.call_instead(traced, dispatcher)


def _block_here() -> Block | None:
    """Return the innermost block that the calling code is inside of."""
    running: Any = current.get()
    around = running
    while around is not None and not around.off:
        block = _by_session.get(id(around))
        if block is not None:
            return block
        around = around._parent
    if len(_open) == 1:
        # recording is off, paused or left out here: without this it would be a hole to the network
        only = _open[0]
        if running is None or running.off or only.wide:
            return only
    return None


def _dispatcher(traced: FunctionType, target: Any) -> Callable[..., Any]:
    """Return the stand-in for a decorated function, of the kind that its wrapper calls."""
    flags, spec = traced.__code__.co_flags, registry.spec_of(traced)

    def find(args: Any, kwargs: Any, generator: bool = False) -> tuple[Block, Call, Outcome] | None:
        block = _block_here()
        if block is None or not block.selects(spec):
            return None
        asked = _asked(spec, target, args, kwargs, block)
        found = block.answer(asked, target, spec, generator=generator)
        return None if found is None else (block, *found)

    if flags & (GENERATOR | ASYNC_GENERATOR):

        def answer_generator(*args: Any, **kwargs: Any) -> Any:
            def choose() -> Any:
                found = find(args, kwargs, generator=True)
                if found is None:
                    return target(*args, **kwargs)
                return (_async_items if flags & ASYNC_GENERATOR else _items)(*found)

            return _Deferred(choose)

        return answer_generator
    if flags & COROUTINE:

        async def answer_coroutine(*args: Any, **kwargs: Any) -> Any:
            found = find(args, kwargs)
            if found is None:
                return await target(*args, **kwargs)
            block, call, outcome = found
            await block.flight.land(call.rank)
            return _settled(outcome)

        return answer_coroutine

    def answer(*args: Any, **kwargs: Any) -> Any:
        found = find(args, kwargs)
        return target(*args, **kwargs) if found is None else _settled(found[2])

    return answer


class _Deferred:
    """A generator that is chosen at its first step, when the session of the call is current."""

    def __init__(self, choose: Callable[[], Any]) -> None:
        self._choose = choose
        self._chosen: Any = None

    def __getattr__(self, name: str) -> Any:
        if self._chosen is None:
            self._chosen = self._choose()
        return getattr(self._chosen, name)

    def send(self, value: Any) -> Any:
        return self.__getattr__("send")(value)

    def asend(self, value: Any) -> Any:
        return self.__getattr__("asend")(value)


def _settled(outcome: Outcome) -> Any:
    if outcome.error is not None:
        raise outcome.error
    return outcome.value


def _items(block: Block, call: Call, outcome: Outcome) -> Generator[Any, Any, Any]:
    """Yield what was yielded. Values that are sent in were not recorded, and go nowhere."""
    yield from outcome.items or ()
    if outcome.stopped:
        raise outcome.more()
    return _settled(outcome)


async def _async_items(block: Block, call: Call, outcome: Outcome) -> AsyncGenerator[Any, Any]:
    await block.flight.land(call.rank)
    for item in outcome.items or ():
        yield item
    if outcome.stopped:
        raise outcome.more()
    _settled(outcome)


def _asked(spec: Any, target: Any, args: Any, kwargs: Any, block: Block) -> Asked:
    """Return a call as it asks for its answer: with the inputs that capture has taken."""
    s = current.get()
    own = s if isinstance(s, Session) and s._spec is spec and not s._end else None
    if own is not None:
        data, receipt = own._inputs, list[Any](own._masked or ())
    else:
        data, receipt = _snapshot(spec, target, args, kwargs)
    inputs = {} if data is None else orjson.loads(as_object(data) or b"{}")
    details = {
        "masked": [each for each in receipt if isinstance(each, str)],
        "cut": dict(each for each in receipt if not isinstance(each, str)),
    }

    def path() -> list[Caller]:
        return [] if own is None else _path(own, block)

    return Asked(
        name=spec.session_name,
        code=code_of(spec.code),
        inputs=inputs,
        masks=masks_of(details),
        cut=cut_of(details),
        path=path,
        alone=same_name(spec.session_name) == 1,
    )


def _snapshot(spec: Any, target: Any, args: Any, kwargs: Any) -> tuple[bytes | None, list[Any]]:
    """Return the inputs of a call that is not recorded."""
    bound = Binder(target, {"capture_inputs": spec.capture_inputs, "ignore_inputs": ()})
    values = bound(args, kwargs)
    receipt: list[Any] = []
    if values is None:
        return None, receipt
    encode = hooks.encode if hooks.configured else Snapshotter().encode
    return encode(values, receipt, "inputs"), receipt


def _path(s: Session, block: Block) -> list[Caller]:
    """Return the callers of a call up to its block, nearest first, with their inputs' keys."""
    path: list[Caller] = []
    around = s._parent
    while around is not None and not around.off and around is not block.session:
        data = as_object(getattr(around, "_inputs", None))
        key = key_of({} if data is None else orjson.loads(data))
        name = around._spec.session_name if around._spec is not None else ""
        path.append((name, key))
        around = around._parent
    return path
