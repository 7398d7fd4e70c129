"""Budgets, guards and rules: what an agent may still do, decided from memory."""
