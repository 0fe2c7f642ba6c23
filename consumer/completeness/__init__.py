"""Says what every session holds, what it lacks, and what it would cost to bring that: from the ledger alone."""
