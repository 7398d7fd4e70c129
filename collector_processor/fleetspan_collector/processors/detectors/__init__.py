"""Detectors: each a small module that looks for one kind of waste or trouble."""
