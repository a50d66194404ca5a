"""A reply of any status, and its meaning."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from honeytrace._network.retry_after import retry_after
from honeytrace.api._httpx import AnyHeaders, AnyResponse
from honeytrace.api.errors import PartialBatchError, SDKError, ValidationError


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete HTTP reply. `raw_response` is the response of httpx."""

    raw_response: AnyResponse

    @property
    def status_code(self) -> int:
        """The HTTP status."""
        return self.raw_response.status_code

    @property
    def headers(self) -> AnyHeaders:
        """The headers, by case-insensitive name."""
        return self.raw_response.headers

    @property
    def body(self) -> bytes:
        """The body, decompressed."""
        return self.raw_response.content

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asks to wait, or None."""
        return retry_after(self.headers.get("retry-after"), self.headers.get("date"))

    def json(self) -> Any:
        """Return the body as JSON. Raises ValidationError if it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise ValidationError(
                f"Response validation failed: the body is not JSON: {error}",
                self.body,
                self.raw_response,
            ) from error

    def error(self, *, expects_json: bool = True) -> SDKError | None:
        """Return the error that status and content type mean, or None. Only 200 is success."""
        if self.status_code >= 400:
            if self.status_code == 500 and self._partial():
                return PartialBatchError("The batch was stored in part", self.raw_response)
            return SDKError("API error occurred", self.raw_response)
        media_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if self.status_code != 200 or (expects_json and media_type != "application/json"):
            return SDKError("Unexpected API response status or content-type", self.raw_response)
        return None

    def _partial(self) -> bool:
        """Tell whether this 500 lists stored and failed events, as batch routes do."""
        try:
            body = json.loads(self.body)
        except (ValueError, RecursionError):
            return False
        return isinstance(body, dict) and any(
            isinstance(body.get(key), list) for key in ("event_ids", "errors")
        )
