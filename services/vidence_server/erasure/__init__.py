"""Erasure: everything that the suite holds of a person goes, and a receipt says so."""
