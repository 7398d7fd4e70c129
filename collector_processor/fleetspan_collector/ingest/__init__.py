"""From the journal to the store: raw rows in, derived rows, segments out."""
