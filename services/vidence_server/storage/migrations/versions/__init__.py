"""Revisions of the outbox, a branch of its own beside the service's."""
