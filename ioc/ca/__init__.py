"""The Channel Access server: circuits, channels, subscriptions, puts and searches. It knows nothing of archiving."""
