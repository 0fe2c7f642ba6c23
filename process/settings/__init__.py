"""The one reader of settings for all processes: how a variable is read, and those that more than one process reads."""
