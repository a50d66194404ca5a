"""honeyhive-logger==0.0.11: starts a session, logs an event into it and updates that."""

import json
import sys

import honeyhive_logger

server = {"api_key": "t", "server_url": sys.argv[1]}
session_id = honeyhive_logger.start(
    project="interop", session_name="logged", source="test", inputs={"q": "x"}, **server
)
event_id = honeyhive_logger.log(
    project="interop",
    source="test",
    session_id=session_id,
    event_name="step",
    event_type="tool",
    inputs={"a": 1},
    outputs={"b": 2},
    duration_ms=12,
    **server,
)
honeyhive_logger.update(event_id=event_id, metadata={"done": True}, outputs={"b": 3}, **server)
print(json.dumps({"traced": session_id, "event_id": event_id}))
