"""Names what both stores say to a writer that has been followed; what a delivery makes of it, cycle/runner says."""


class FenceLost(Exception):
    """The fence of this work belongs to somebody else now, or its cycle was called off: nothing was written."""
