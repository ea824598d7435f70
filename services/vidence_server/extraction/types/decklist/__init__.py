"""Decklists: which cards, how often, in which section."""
