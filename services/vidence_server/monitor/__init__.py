"""Watches a camera or a video: people who appear, are recognised and leave become events."""
