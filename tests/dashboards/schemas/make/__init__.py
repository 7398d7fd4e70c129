"""What makes the schemas of this folder again."""
