"""Says what is true of the market; pure: no network, no storage, no clock."""
