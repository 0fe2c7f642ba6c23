"""Serves a market over the vendor's own protocol: the sandbox's source, and the tests'."""
