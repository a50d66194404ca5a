"""Delivery: from the queue to the sink.

queue           sessions that wait for the flush thread, bounded in bytes
intake          its entrance, where every traced call ends; compiled from the same source
encoder         makes records of sessions and gives back their journal slots
flusher         the flush thread, `flush`, and the end of delivery
deliverer       one batch at a time: filled, handed to the sink, settled
batch           finds the record that stops a batch
ledger          the books: counts of recorded, delivered, refused and dropped items
stats           the books as `stats()` and `flush()` return them
overflow        moves records from memory to disk and back
also            second destinations, each with a thread of its own
backoff         the wait after a failure
native_threads  threads that gevent and eventlet do not replace
"""
