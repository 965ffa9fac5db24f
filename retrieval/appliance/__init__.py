"""The Archiver Appliance's retrieval protocol."""
