"""Answers the vendor's addresses, one family a file."""
