"""How much of the server its clients may use: circuits, channels, bytes, puts and time."""
