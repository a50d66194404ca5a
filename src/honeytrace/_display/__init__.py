"""Values as people read them, shared by the viewer, the notebook and the command line.

shapes  recognises conversations, documents and other common shapes
summary the most telling words of a session's inputs or outputs, for a line of a list
text    durations and names as text
html    draws values as HTML
words   the words in which two texts differ
"""
