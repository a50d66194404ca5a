"""Names of other SDKs over honeytrace, for programs that move.

honeyhive.py  trace, atrace, enrich_span, enrich_session, HoneyHiveTracer of HoneyHive's SDK
"""
