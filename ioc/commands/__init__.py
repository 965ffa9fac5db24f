"""What a put plans and does: adding, changing, removing and renaming channels, importing, applying the file."""
