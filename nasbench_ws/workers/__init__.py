"""Many tasks on processes or clusters, and their progress. Nothing here knows what a network is."""
