"""`vidence events`: the bus at the command line."""
