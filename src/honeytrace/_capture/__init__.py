"""Capture: the code that a traced call runs. `*` is compiled from the same source.

decorator   `@trace_session`             options     its options
block       `session(...)`
targets     finds the kind of a callable: function, descriptor, class, object
wrapper     compiles the function that stands in for a decorated one
templates   the source of that function  reload      its code exchanged by a hot reload
parameters  its parameters, and the inputs that are recorded
proxy       other callables, through wrapt
call*       begin, done, fail and leave  stream*     the steps of a generator's session
running*    the fields of a session      session     `Session`, `current_session`
finished*   a session that has ended as a record
spec*       the fixed part of a traced function
names       masks names and ids that a program chooses
coerce      names, mappings and ids as the record needs them
context     the ContextVar, `paused`, `propagate`
ids*        UUIDv7
hooks*      the functions of the runtime, and the state of the recorder
exceptions  an exception as JSON         registry    the traced functions that are alive
remote      stand-ins for callers in other processes
external    sessions that another tracer times: OpenTelemetry's spans
threads     carries the current session into threads and pools
sampling    decides which trees are recorded
"""
