"""`archioc alarms`."""
