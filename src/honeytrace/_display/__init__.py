"""Values as people read them, shared by the viewer, the notebook and the command line.

shapes  recognises conversations, documents and other common shapes
text    durations and names as text
html    draws values as HTML
"""
