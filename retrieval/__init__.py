"""The http process: it answers readers over HTTP."""
