"""Reviews: several people look at one thing together, and decide."""
