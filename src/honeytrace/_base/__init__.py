"""Leaves that any room may use.

cython        the hot path compiled or interpreted, and a stand-in for Cython
primitives    operations that C spells faster
directories   private directories and files, whatever the umask
native_locks  locks that gevent and eventlet do not replace
lazy          orjson and logging, imported on first use
interrupts    tells the program's own Ctrl-C and signals from other exceptions
commit        the commit of the program that records
version       the version of the package
"""
