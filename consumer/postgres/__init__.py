"""PostgreSQL: the ledger and the data. One module a group of tables."""
