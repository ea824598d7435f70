"""What is asked of each service, in order."""
