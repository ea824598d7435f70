"""`vidence load`: many subscribers at once, and what they cost the server."""
