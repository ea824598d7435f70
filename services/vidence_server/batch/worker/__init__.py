"""Workers: they lease items, read them and tell what came of it."""
