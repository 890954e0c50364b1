"""Near-duplicates, sides, saved splits, and warnings about them."""
