"""Archives and declarations that tests make."""
