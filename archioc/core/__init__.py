"""What all processes share: settings, names, times, events, errors, logging, and the formats of files and shared memory."""
