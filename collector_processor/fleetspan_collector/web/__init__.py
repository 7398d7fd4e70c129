"""The web port: health, metrics and the API that the command reads through."""
