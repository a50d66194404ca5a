"""Leaves that any room may use.

lazy        orjson and logging, imported on first use
interrupts  tells the program's own Ctrl-C and signals from other exceptions
version     the version of the package
"""
