"""honeyhive==1.7.0: starts the session on standard input, reads it back, traces a small tree."""

import json
import sys

from honeyhive import HoneyHive, HoneyHiveTracer, trace

server_url, session = sys.argv[1], json.load(sys.stdin)

client = HoneyHive(api_key="t", base_url=server_url)
session_id = client.sessions.start({"session": session}).session_id
(event,) = client.events.get_by_session_id(session_id).events

tracer = HoneyHiveTracer.init(
    api_key="t",
    source="test",
    session_name="traced",
    server_url=server_url,
    disable_batch=True,
    disable_http_tracing=True,
)


@trace(event_type="model", tracer=tracer)
def generate(prompt, options):
    return {"role": "assistant", "content": prompt.upper()}


@trace(event_type="tool", tracer=tracer)
def fail(reason):
    raise ValueError(reason)


@trace(event_type="chain", tracer=tracer)
def answer(question):
    try:
        fail("no luck")
    except ValueError:
        pass
    return generate(question, {"temperature": 0, "stop": ["a", "b"]})["content"]


answer("why?")
tracer.enrich_session(metrics={"score": 1})
tracer.flush()
print(json.dumps({"event": event.model_dump(mode="json"), "traced": tracer.session_id}))
