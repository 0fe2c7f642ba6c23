"""Declares the data sets, a module each: what it covers, is made from, asks for and owns; how its gaps become parts.

Plan, dispatch, verdict, forecast, coverage, staleness, retention and the documents' tables derive from these
declarations (consumer/catalogue). Another data set is another module here, a migration and a test: docs/extending.md.
"""
