"""Looking at faces: finding, measuring, comparing them. Knows pixels and models, not people."""
