"""Documents in a live picture: where they are, and how good the picture of them is."""
