"""Snapshot: a Python value becomes bounded, redacted JSON, at once.

snapshotter  the fast route, for values that are plain JSON
exact        the exact route, for everything else
simplify     the rules per type
redact       masks secrets, by name and by shape
"""
