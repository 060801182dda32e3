"""Ground truth: columns, checks, the file, questions, runs and how they become a table."""
