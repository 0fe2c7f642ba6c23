"""The four tasks, one module each: what a part of each fetches, computes and writes."""
