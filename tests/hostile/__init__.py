"""Hostile input, traps, refusals and disturbances."""
