"""A checker for Phoebus displays, written from the description of their format and independent of what generates them."""
