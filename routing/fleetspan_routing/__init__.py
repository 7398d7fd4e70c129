"""Model routing (not built yet; its place is kept)."""
