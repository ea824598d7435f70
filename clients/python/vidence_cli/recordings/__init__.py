"""`vidence record`, `check` and `replay`: captured streams as files."""
