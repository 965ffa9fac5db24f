"""Records of soft IOCs, and what must be archived of them."""
