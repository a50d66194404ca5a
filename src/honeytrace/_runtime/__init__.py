"""The runtime: the one mutable global, which puts all other rooms to work.

runtime      `Runtime`, `configure`, and what capture calls before anything is configured
public       `flush`, `shutdown`, `stats`, `update_session`
capturing    a runtime for `honeytrace.testing`
keeper       opens the journal and starts recovery
process      forks and the end of the process
destination  where sessions go: a store, the API, or a sink of the program's
settings     the keyword arguments of `configure`, for type checkers
"""
