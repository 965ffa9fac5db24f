"""The engine process: it collects updates over Channel Access, turns them into samples, and commits batches to the spool."""
