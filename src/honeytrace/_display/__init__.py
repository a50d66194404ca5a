"""Values as people read them, shared by the viewer, the notebook and the command line.

shapes    recognises conversations, documents and other common shapes
messages  conversations of every provider and framework as one type
pieces    the pieces of a message: text, reasoning, tool calls, images
chunks    the message that the chunks of a streamed reply add up to
summary   the most telling words of a session's inputs or outputs, for a line of a list
text      durations and names as text
figures   tokens and cost as text
html      draws values as HTML
words     the words in which two texts differ
"""
