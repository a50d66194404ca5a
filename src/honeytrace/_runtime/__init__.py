"""The runtime: the one mutable global, which starts and connects all other packages.

runtime      `Runtime`, `configure`, and the hooks of capture before configuration
public       `flush`, `shutdown`, `stats`, `update_session`
capturing    a runtime for `honeytrace.testing`
keeper       opens the journal and starts recovery
process      forks and the end of the process
names        masks the configured project and other names that are fixed beforehand
destination  the destination of sessions: a store, the API, or a sink of the program
settings     the keyword arguments of `configure`, for type checkers
"""
