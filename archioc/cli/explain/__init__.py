"""`archioc explain`: why there is a sample at a moment, or none: what is known of the moment, the rules, and how they are told."""
