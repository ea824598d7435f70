"""Encryption at rest: images and face templates are kept under keys that are kept elsewhere."""
