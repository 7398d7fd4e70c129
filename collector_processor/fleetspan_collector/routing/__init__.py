"""Routing in a collector: outcomes kept, and models of sub-agents chosen by them."""
