"""The command `archioc`. Heavy imports happen inside the commands, so that help comes at once."""
