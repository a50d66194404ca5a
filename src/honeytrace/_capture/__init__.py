"""Capture: the code that a traced call runs.

decorator   `@trace_session` and `session(...)`, the public face
wrapper     compiles the function that stands in for a decorated one
proxy       wraps other callables, through wrapt
call        begin, done, fail and leave; the steps of a generator's session
session     `Session`, `current_session`, and what is fixed per traced function
context     the ContextVar, ids, and the hooks through which capture reaches the runtime
exceptions  an exception as JSON
remote      stand-ins for callers in other processes
external    sessions that another tracer times: OpenTelemetry's spans
threads     carries the current session into threads and pools
sampling    decides which trees are recorded
"""
