"""Whatever gives every child a score. Rankers see training and validation images only."""
