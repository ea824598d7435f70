"""`vidence face`: looks at faces."""
