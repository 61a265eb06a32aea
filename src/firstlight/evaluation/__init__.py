"""How accurate a network is, and how far to trust it."""
