"""One ranker against a table, named experiments, the leaderboard, and the paper's claims on them."""
