"""What a purge is, and what its receipt says."""
