"""The JSON archive access protocol, which Phoebus reads."""
