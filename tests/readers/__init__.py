"""Readers of what the archiver writes and answers, with the rules of the real programs."""
