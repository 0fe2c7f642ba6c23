"""A cycle: one trading day's maintenance, from the event that asks for it to the verdict on what is missing."""
