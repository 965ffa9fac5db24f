"""The commands as a user sees them: arguments, options, help. What they do is in `archioc.cli`, imported when a command runs."""
