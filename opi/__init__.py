"""Screens for Phoebus, generated from one description, and what a site's alarm server needs."""
