"""Tells outside that data were not there in time, and by pings that they were: silence is noticed there too."""
