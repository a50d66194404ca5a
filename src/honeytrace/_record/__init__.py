"""The finished session: wire names, milliseconds, merging, and the format of its bytes.

record  `Record` and `Update`, how two of them merge, and how they are written and read
"""
