"""The ioc process: it serves the control PVs, and carries out what clients put to them."""
