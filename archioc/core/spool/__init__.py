"""The way of samples to disk: a batch, its file, the directory of batches and the ledger that says which are committed."""
