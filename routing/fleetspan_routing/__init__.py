"""Which model for which task, and what an agent may still do: decided from measured outcomes."""
