"""What every call passes through, one purpose per module."""
