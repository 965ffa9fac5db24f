"""`archioc explain`: gathers evidence around a time, and finds the cause by rules."""
