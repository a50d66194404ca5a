"""Programs and files of other tools: names of other SDKs over honeytrace, and their transcripts.

honeyhive.py    trace, atrace, enrich_span, enrich_session, HoneyHiveTracer of HoneyHive's SDK
claude_code.py  transcripts of Claude Code as sessions; codex.py those of Codex
transcript.py   records made of a transcript, masked and with ids that stay the same
"""
