"""The tables, their migrations and what reads them."""
