"""The operator page: one look at whether the data is whole, what is wrong, what it waits for, and what to do.

Static files and the answers they ask for. Everything it says is said by the functions that the command line asks.
"""
