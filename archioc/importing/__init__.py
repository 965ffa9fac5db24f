"""Lists of channels that other programs, or people, have written: their formats, and what they become here."""
