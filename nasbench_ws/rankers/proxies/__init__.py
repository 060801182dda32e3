"""Zero-cost proxies: scores of untrained children, of a batch or two; ranker.py lists them."""
