"""The Redis caches that neighbouring services read: how they are written, swapped in and read back."""
