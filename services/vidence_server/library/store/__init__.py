"""Statements on the tables of the library service, nothing else."""
