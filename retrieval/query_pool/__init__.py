"""Queries of the store beside the event loop: a bounded pool of threads, each query with a budget of time."""
