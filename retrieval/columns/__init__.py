"""Answers for programs that work with whole columns, such as `archioc.Client`."""
