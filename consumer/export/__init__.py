"""Writes what stands of sessions as Parquet files that say of what they are; needs the extra `export`."""
