"""What a document is: its fields, how sure we are of each, and what an extraction tells while it runs."""
