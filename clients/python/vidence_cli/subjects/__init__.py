"""`vidence subjects`: erase people, and keep the receipts."""
