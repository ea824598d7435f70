"""How exactly cards without a machine readable zone are read."""
