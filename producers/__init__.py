"""Writes to the streams: the wire contract and the programs that publish on it."""
