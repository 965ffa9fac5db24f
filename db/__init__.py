"""The db process: it delivers batches from the spool to the store, and answers readers."""
