"""Snapshot: a Python value becomes bounded, redacted JSON, at once.

snapshotter  the fast route, for values that are plain JSON
exact        the exact route, for everything else; container_walk: its lists and dicts;
             plain: its members that are plain JSON
rules        which rule shows which type; introspect: reading without running code
scalars datetimes containers objects opaque arrays headers web rows   the rules
masking      what one walk masks; redact: names, shapes and patterns of one configuration
secrets      names that secrets are bound to; name_gate: the first look at a name;
             bindings: such names in a text
credentials  the patterns of well-known keys and tokens: JWT, AWS, GitHub, …
text_gate    the first look at a text, which spares the search; gate_words: its words;
             pieces: the search of a long text
value_rules  the program's own redact patterns and functions
limits truncate   bounds, and cutting to size
"""
