"""OpenTelemetry in and out.

_semconv/   one mapping from spans to events, for the bridge and for the server; no extra needed
"""
