"""From scores and a table to a verdict. No torch here."""
