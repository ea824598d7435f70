"""The Vidence services: what runs behind `vidence serve`."""
