"""A model server on this machine for the examples: OpenAI's and Anthropic's HTTP APIs, in small.

It answers every question with "Bees see ultraviolet.", streamed if that is asked for, and calls the
first tool that it is offered. Run it alone with `python examples/fake_llm.py PORT`.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WORDS = ["Bees ", "see ", "ultraviolet."]
USAGE = {
    "prompt_tokens": 21,
    "completion_tokens": 7,
    "total_tokens": 28,
    "prompt_tokens_details": {"cached_tokens": 4},
}


class Handler(BaseHTTPRequestHandler):
    """Answers chat completions, responses, embeddings and Anthropic's messages."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/chat/completions"):
            self._chat(asked)
        elif self.path.endswith("/embeddings"):
            rows = [{"object": "embedding", "index": 0, "embedding": [0.1] * 8}]
            usage = {"prompt_tokens": 3, "total_tokens": 3}
            self._send({"object": "list", "model": asked["model"], "data": rows, "usage": usage})
        elif self.path.endswith("/responses"):
            self._responses(asked)
        else:
            self._messages(asked)

    def _chat(self, asked: dict[str, Any]) -> None:
        base = {"id": "chatcmpl-1", "created": 1_790_000_000, "model": asked["model"]}
        tools: list[Any] = asked.get("tools") or []
        call = tools and asked["messages"][-1]["role"] == "user"
        if asked.get("stream"):
            self._stream(asked, base)
            return
        message: dict[str, Any] = {"role": "assistant", "content": "".join(WORDS)}
        if call:
            function = tools[0]["function"]
            wanted = function.get("parameters", {}).get("required", [])
            arguments = json.dumps(dict.fromkeys(wanted, "Paris"))
            called = {"name": function["name"], "arguments": arguments}
            message["content"] = None
            message["tool_calls"] = [{"id": "call_1", "type": "function", "function": called}]
        reason = "tool_calls" if call else "stop"
        choice = {"index": 0, "message": message, "finish_reason": reason}
        self._send({**base, "object": "chat.completion", "choices": [choice], "usage": USAGE})

    def _stream(self, asked: dict[str, Any], base: dict[str, Any]) -> None:
        def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
            choice = {"index": 0, "delta": delta, "finish_reason": reason}
            return {**base, "object": "chat.completion.chunk", "choices": [choice]}

        chunks = [chunk({"role": "assistant", "content": word}) for word in WORDS]
        chunks.append(chunk({}, "stop"))
        if (asked.get("stream_options") or {}).get("include_usage"):
            last = {**base, "object": "chat.completion.chunk", "choices": [], "usage": USAGE}
            chunks.append(last)
        lines = [f"data: {json.dumps(each)}\n\n" for each in chunks]
        self._send("".join([*lines, "data: [DONE]\n\n"]), "text/event-stream")

    def _responses(self, asked: dict[str, Any]) -> None:
        tools = [tool for tool in asked.get("tools", []) if tool["type"] == "function"]
        given = asked["input"] if type(asked["input"]) is list else []
        output: dict[str, Any] = {"type": "message", "id": "msg_1", "role": "assistant"}
        text = {"type": "output_text", "text": "".join(WORDS), "annotations": []}
        output |= {"status": "completed", "content": [text]}
        if tools and not any(item.get("type") == "function_call_output" for item in given):
            arguments = json.dumps(
                dict.fromkeys(tools[0]["parameters"].get("required", []), "Paris")
            )
            called = {"name": tools[0]["name"], "arguments": arguments, "call_id": "call_1"}
            output = {"type": "function_call", "id": "fc_1", "status": "completed", **called}
        usage = {"input_tokens": 21, "output_tokens": 7, "total_tokens": 28}
        usage |= {"input_tokens_details": {"cached_tokens": 4}}  # type: ignore[dict-item]
        usage |= {"output_tokens_details": {"reasoning_tokens": 0}}  # type: ignore[dict-item]
        head = {"id": "resp_1", "object": "response", "created_at": 1_790_000_000}
        rest = {"model": asked["model"], "status": "completed", "parallel_tool_calls": True}
        more = {"tool_choice": "auto", "tools": asked.get("tools", []), "usage": usage}
        self._send({**head, **rest, **more, "output": [output]})

    def _messages(self, asked: dict[str, Any]) -> None:
        content = [{"type": "text", "text": "".join(WORDS)}]
        usage = {"input_tokens": 21, "output_tokens": 7}
        head = {"id": "msg_1", "type": "message", "role": "assistant", "model": asked["model"]}
        tail = {"stop_reason": "end_turn", "stop_sequence": None, "usage": usage}
        self._send({**head, "content": content, **tail})

    def _send(self, answer: Any, kind: str = "application/json") -> None:
        body = (answer if type(answer) is str else json.dumps(answer)).encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


@contextmanager
def serving(port: int = 0) -> Iterator[str]:
    """Serve while the block runs; its value is the address."""
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


if __name__ == "__main__":
    with serving(int(sys.argv[1])) as url:
        print(url)
        threading.Event().wait()
