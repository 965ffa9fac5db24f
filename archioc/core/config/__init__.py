"""The configuration file: its blocks, their rules, and faults with file, line and key."""
