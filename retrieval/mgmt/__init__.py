"""The Archiver Appliance's management calls."""
