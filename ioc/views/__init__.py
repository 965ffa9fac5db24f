"""Lists of channels for screens: filtered, sorted and in pages."""
