"""The HoneyHive client, usable by itself: nothing here knows of recording.

result       Ok, Err: what never raises
errors       the tree of what can go wrong
models       requests and replies
_wire        between a model and its JSON object
operations   every operation, once, without I/O
retry        when and how long to wait
_options     per client and per call
_reply       what a reply means
_transport   the sync and the async driver over httpx
core         HoneyHiveCore: authenticate, send, retry, keep the deadline
funcs        the standalone functions, which return a Result
client       HoneyHive: the methods, which raise
"""

from honeytrace._network.streamed import Streamed
from honeytrace.api import operations
from honeytrace.api._options import HttpOptions, RequestOptions
from honeytrace.api._reply import Reply
from honeytrace.api.client import HoneyHive
from honeytrace.api.core import HoneyHiveCore
from honeytrace.api.errors import (
    APIConnectionError,
    APIError,
    HTTPClientError,
    InvalidRequestError,
    PartialBatchError,
    RequestTimeoutError,
    SDKError,
    SessionNotFoundError,
    UnexpectedClientError,
    ValidationError,
)
from honeytrace.api.funcs import (
    session_get_session,
    session_get_session_async,
    session_start_session,
    session_start_session_async,
)
from honeytrace.api.models import (
    CreateEventRequest,
    CreateEventRequestV1,
    CreateEventResponse,
    CreateModelEventRequest,
    CreateSessionRequest,
    Event,
    EventBatchRequest,
    EventBatchRequestV1,
    EventBatchResponse,
    EventFilter,
    EventQuery,
    EventsPage,
    ModelEventBatchRequest,
    SessionStartRequest,
    StartSessionResponse,
    UpdateEventRequest,
)
from honeytrace.api.result import Err, Ok, Result
from honeytrace.api.retry import RetryConfig

__all__ = [
    "APIConnectionError",
    "APIError",
    "CreateEventRequest",
    "CreateEventRequestV1",
    "CreateEventResponse",
    "CreateModelEventRequest",
    "CreateSessionRequest",
    "Err",
    "Event",
    "EventBatchRequest",
    "EventBatchRequestV1",
    "EventBatchResponse",
    "EventFilter",
    "EventQuery",
    "EventsPage",
    "HTTPClientError",
    "HoneyHive",
    "HoneyHiveCore",
    "HttpOptions",
    "InvalidRequestError",
    "ModelEventBatchRequest",
    "Ok",
    "PartialBatchError",
    "Reply",
    "RequestOptions",
    "RequestTimeoutError",
    "Result",
    "RetryConfig",
    "SDKError",
    "SessionNotFoundError",
    "SessionStartRequest",
    "StartSessionResponse",
    "Streamed",
    "UnexpectedClientError",
    "UpdateEventRequest",
    "ValidationError",
    "operations",
    "session_get_session",
    "session_get_session_async",
    "session_start_session",
    "session_start_session_async",
]
