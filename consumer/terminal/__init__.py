"""The command `maintenance`: one verb a module."""
