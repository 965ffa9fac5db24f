"""Reading through a Unix socket of the db process: the server, the client and their messages."""
