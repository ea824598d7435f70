"""Texts made vectors."""
