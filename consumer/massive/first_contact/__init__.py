"""Asks the real vendor, in thirty requests at most, about everything that was only assumed of it."""
