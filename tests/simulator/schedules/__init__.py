"""Schedules that once failed, each written down by the names of its steps, so that no draw of a seed can lose it."""
