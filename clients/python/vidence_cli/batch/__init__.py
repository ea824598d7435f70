"""`vidence batch`: many images as one piece of work."""
