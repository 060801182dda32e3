"""One ranker against a table, named experiments, and the leaderboard."""
