"""Batches and jobs: many images read as one piece of work, by any number of workers, nothing done twice."""
