"""What batches, items and jobs are, and what may happen to them. Nothing here talks to anybody."""
