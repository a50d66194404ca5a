"""OTLP spans as sessions and events.

json_spans, protobuf_spans  a request's bytes -> plain spans, each read separately
log_events                  GenAI events that arrive as OTLP logs; log_event is their type
records                     a span -> the record of its event
made_sessions               sessions that nobody started, built from the spans inside them
trace                       the spans of one trace in one request, and their parents
traces                      all traces of a store; a request -> the items to store
left_out                    HTTP and database spans that are not kept
counts                      counters of stored, rejected and left out items
"""
