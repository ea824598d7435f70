"""The extraction service: documents in, fields out as they are read."""
