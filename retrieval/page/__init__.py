"""The page at `/`: find channels, see their state, plot them. Its own endpoints are below `/api/`."""
