"""The Channel Access client: libca, its event callbacks, searches, and the ring that they fill."""
