"""Makes a market from a folder of the vendor's flat files."""
