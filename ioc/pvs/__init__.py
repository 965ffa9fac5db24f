"""The PVs that clients see: their names, types, values, alarm limits, and what a put to each means."""
