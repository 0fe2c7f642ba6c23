"""Reacts to what the streams say: plans, runs and settles data maintenance."""
