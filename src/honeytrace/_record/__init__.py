"""The finished session: wire names, milliseconds, merging, and the format of its bytes.

record       `Record` and `Update`, and which of their fields merge
merge        two accounts of one session in one
stamp        the code that made a record: place, commit, versions of libraries
fold         many updates of one session in one
wire         startSession and event bodies, and a record of a payload
body         a record's body on the wire, spliced from its encoded parts
many         questions about all records of a batch, each answered in one pass
surrogates   reads JSON with half a surrogate pair; `_snapshot/scalars` writes such text out
tokens       token counts, cost and model in the shapes in which programs record them
span_ids     the ids of records that stand for spans of other tracers
file_format  an item as bytes in our own files
"""
