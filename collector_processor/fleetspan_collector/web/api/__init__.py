"""The JSON API that the page and the commands share, described by OpenAPI."""
