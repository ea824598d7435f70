"""`vidence conformance`: the stream contract, tried on any server."""
