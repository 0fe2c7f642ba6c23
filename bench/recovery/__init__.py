"""Measures how soon the work of a killed worker goes on."""
