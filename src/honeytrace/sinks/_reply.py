"""A reply as it arrives: the callbacks of httptools' parser, with a bound in bytes."""

from __future__ import annotations

from http.client import HTTPException

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from . import _answer
from ._answer import Answer, UnusualReplyError


class ReplyReader:
    """Reads the replies of one connection, one after the other."""

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
        """Whether anything has arrived."""
        self.keeps_alive = False
        """Whether the connection can carry another request after this reply."""

    def feed(self, data: bytes) -> Answer | None:
        """Take what arrived, and return the reply once it is whole.

        Raises UnusualReplyError for what is not HTTP, and HTTPException for a reply without end.
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
            self.keeps_alive = False  # a whole reply, and nonsense after it
        return self._answer

    def end(self) -> Answer:
        """Return the reply where the end of the connection is its end, too.

        Raises ConnectionError when nothing has arrived, HTTPException when a part is missing.
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

    # what the parser calls

    def on_message_begin(self) -> None:
        if self._answer is not None:  # a reply to nothing: the next one would be out of step
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
        if self._parser.get_status_code() < 200:  # an interim reply: the final one follows
            self._headers, self._has_head = {}, False
            return
        self._answer = self._whole()
        self.keeps_alive = self._parser.should_keep_alive()
