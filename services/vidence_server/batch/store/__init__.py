"""Batches, items and jobs in the database: statements, nothing else."""
