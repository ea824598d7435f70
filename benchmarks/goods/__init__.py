"""How exactly decklists and receipts are read: real pictures with their truth, and rendered ones."""
