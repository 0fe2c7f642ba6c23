"""Checks what the service stands on: at its start, and whenever an operator asks."""
