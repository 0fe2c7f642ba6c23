"""The HTTP API: is it alive, how far is it, and do it now."""
