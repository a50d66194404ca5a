"""Delivery: from the queue to the sink.

queue     sessions that wait for the flush thread, bounded in bytes
encoder   makes records of sessions and gives back their journal slots
flusher   the flush thread: batches, retries, the books
batch     finds the record that stops a batch
overflow  moves records from memory to disk and back
backoff   how long to wait after a failure
stats     the books as `stats()` and `flush()` return them
"""
