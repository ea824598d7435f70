"""The queue behind batches and jobs: who works at what, until when."""
