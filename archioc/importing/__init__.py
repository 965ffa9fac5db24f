"""Readers of channel lists that other programs or people have written."""
