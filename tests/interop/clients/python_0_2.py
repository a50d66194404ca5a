"""honeyhive==0.2.57: starts the session on standard input, reads it back, traces a small tree."""

import json
import sys

from honeyhive import HoneyHive, HoneyHiveTracer, enrich_session, trace

server_url, session = sys.argv[1], json.load(sys.stdin)

client = HoneyHive(bearer_auth="t", server_url=server_url)
session_id = client.session.start_session(request={"session": session}).object.session_id
event = client.session.get_session(session_id=session_id).event

tracer = HoneyHiveTracer(
    api_key="t",
    project="interop",
    source="test",
    session_name="traced",
    server_url=server_url,
    disable_batch=True,
    disable_http_tracing=True,
)


@trace(event_type="model")
def generate(prompt, options):
    return {"role": "assistant", "content": prompt.upper()}


@trace
def fail(reason):
    raise ValueError(reason)


@trace(event_type="chain")
def answer(question):
    try:
        fail("no luck")
    except ValueError:
        pass
    return generate(question, {"temperature": 0, "stop": ["a", "b"]})["content"]


answer("why?")
enrich_session(metrics={"score": 1})
HoneyHiveTracer.flush()
print(json.dumps({"event": event.model_dump(mode="json"), "traced": tracer.session_id}))
