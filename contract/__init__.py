"""Says what is on the wire: keys, messages, reports, the twin of streams.md.  Pure: it reads and writes nothing."""
