"""One module for each display."""
