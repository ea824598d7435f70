"""The `vidence` command."""
