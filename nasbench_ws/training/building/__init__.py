"""Training every child with every seed, into a folder of runs that becomes a table."""
