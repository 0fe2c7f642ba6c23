"""Reports one month's health: what its sessions' data are worth, and what it took to bring and keep them."""
