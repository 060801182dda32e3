"""From scores and a table to a verdict."""
