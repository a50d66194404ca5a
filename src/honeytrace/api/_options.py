"""The options of a request: those of the call, then of the client, then the defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from honeytrace._network.server_url import checked_url
from honeytrace.api._httpx import AnyAuth, adapted, httpx
from honeytrace.api.errors import ValidationError
from honeytrace.api.retry import DEFAULT_RETRY_CODES, RetryConfig, check_codes

DEFAULT_SERVER_URL = "https://api.honeyhive.ai"
_NO_RETRIES = RetryConfig.none()


class HttpOptions(TypedDict, total=False):
    """Options of httpx. `headers` may override any header except User-Agent.

    By default, redirects are followed within the same host. `follow_redirects=True` also sends the
    request to other hosts, without the key; `False` follows none.
    """

    headers: Mapping[str, str]
    params: Mapping[str, str]
    cookies: Mapping[str, str]
    extensions: Mapping[str, Any]
    auth: AnyAuth | tuple[str, str] | None
    follow_redirects: bool


class RequestOptions(TypedDict, total=False):
    """Options of one call: `options={"timeout": 5.0}` or `options=RequestOptions(timeout=5.0)`.

    `timeout` is seconds for the whole call, all attempts and waits included. `math.inf` lifts the
    timeout of the client. `retry_codes` are statuses ("503", 503) or classes ("5XX"), and an empty
    list retries none. `max_reply_bytes` bounds each reply, unpacked. For None and absent keys, the
    option of the client applies.
    """

    retries: RetryConfig | None
    retry_codes: Sequence[str | int] | None
    timeout: float | None
    server_url: str | None
    http_options: HttpOptions | None
    max_reply_bytes: int | None


@dataclass(frozen=True, slots=True)
class Settings:
    """The options that apply to one call."""

    server_url: str = DEFAULT_SERVER_URL
    timeout: float = math.inf
    retries: RetryConfig = _NO_RETRIES
    retry_codes: Sequence[str | int] = DEFAULT_RETRY_CODES
    http_options: HttpOptions = field(default_factory=HttpOptions)
    max_reply_bytes: int = 100_000_000

    def merged(self, options: RequestOptions | None) -> Settings:
        """Return these settings with the options of a call. Raises ValidationError."""
        if not options:
            return self
        _refuse_unknown("options", options, RequestOptions.__annotations__)
        server_url = options.get("server_url")
        timeout = options.get("timeout")
        retries = options.get("retries")
        retry_codes = options.get("retry_codes")
        max_reply_bytes = options.get("max_reply_bytes")
        return Settings(
            self.server_url if server_url is None else _base_url(server_url),
            self.timeout if timeout is None else _seconds(timeout),
            self.retries if retries is None else _retry_config(retries),
            self.retry_codes if retry_codes is None else check_codes(retry_codes),
            self._merged_http(options.get("http_options")),
            self.max_reply_bytes if max_reply_bytes is None else _bytes(max_reply_bytes),
        )

    def _merged_http(self, http_options: HttpOptions | None) -> HttpOptions:
        if not http_options:
            return self.http_options
        _refuse_unknown("http_options", http_options, HttpOptions.__annotations__)
        before, after = (
            adapted(httpx, options).get("headers") for options in (self.http_options, http_options)
        )
        headers = httpx.Headers(before)
        headers.update(after)
        return {**self.http_options, **http_options, "headers": headers}


def _refuse_unknown(what: str, given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    unknown = sorted(map(str, given.keys() - known.keys()))
    if unknown:
        raise ValidationError(f"{what}: no such option {unknown}; there are {sorted(known)}", given)


def _seconds(timeout: float) -> float:
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout > 0:
        raise ValidationError(f"timeout: a positive number of seconds, not {timeout!r}", timeout)
    return timeout


def _retry_config(retries: RetryConfig) -> RetryConfig:
    if not isinstance(retries, RetryConfig):
        raise ValidationError(
            f"retries: RetryConfig.none() or RetryConfig.backoff(...), not {retries!r}", retries
        )
    return retries


def _base_url(server_url: str) -> str:
    """Return the base to which paths are appended. Its path is kept without trailing slashes."""
    try:
        return checked_url(server_url)
    except (ValueError, TypeError, AttributeError) as error:
        raise ValidationError(f"server_url: {error}", server_url) from error


def _bytes(size: int) -> int:
    if isinstance(size, bool) or not isinstance(size, int) or size <= 0:
        raise ValidationError(f"max_reply_bytes: a positive number of bytes, not {size!r}", size)
    return size
