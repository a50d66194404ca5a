"""A reply as it arrives, parsed by httptools and bounded in bytes."""

from __future__ import annotations

from http.client import HTTPException

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from . import _answer
from ._answer import Answer, UnusualReplyError


class ReplyReader:
    """Reads the replies of one connection, one after another."""

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self.begin()

    def begin(self) -> None:
        """Expect the next reply."""
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []
        self._room = _answer.LONGEST
        self._has_head = False
        self._answer: Answer | None = None
        self.has_begun = False
        """True if a byte of the reply has arrived."""
        self.keeps_alive = False
        """True if the connection can carry another request after this reply."""

    def feed(self, data: bytes) -> Answer | None:
        """Parse some data, and return the reply once it is complete.

        Raises UnusualReplyError if the data is not HTTP, HTTPException if the reply is too long.
        """
        self.has_begun = True
        self._room -= len(data)
        if self._room < 0:
            raise HTTPException(f"the reply is longer than {_answer.LONGEST:,} bytes")
        try:
            self._parser.feed_data(data)
        except (
            HttpParserError,
            HttpParserUpgrade,
        ) as error:  # its text is the parser's, never the server's
            if self._answer is None:
                raise UnusualReplyError(f"the reply is not HTTP/1.1: {error}") from None
            self.keeps_alive = False  # a complete reply, followed by something else
        return self._answer

    def end(self) -> Answer:
        """Return the reply that ends with the connection.

        Raises ConnectionError if nothing has arrived, and HTTPException if a part is missing.
        """
        if not self.has_begun:
            raise ConnectionResetError("the server closed the connection without a reply")
        is_framed = self._headers.keys() & {"content-length", "transfer-encoding"}
        if not self._has_head or is_framed:
            raise HTTPException("the connection ended in the middle of the reply")
        return self._whole()

    def _whole(self) -> Answer:
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        return Answer(self._parser.get_status_code(), self._headers, body)

    # callbacks of the parser

    def on_message_begin(self) -> None:
        if self._answer is not None:  # a second reply: all that follow would be out of step
            self.keeps_alive = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._has_head = True

    def on_body(self, data: bytes) -> None:
        self._parts.append(data)

    def on_message_complete(self) -> None:
        if self._answer is not None:
            return
        if self._parser.get_status_code() < 200:  # an interim reply, which the final one follows
            self._headers, self._has_head = {}, False
            return
        self._answer = self._whole()
        self.keeps_alive = self._parser.should_keep_alive()
