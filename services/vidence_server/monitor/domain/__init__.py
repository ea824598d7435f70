"""What watching knows, without pictures, time or databases."""
