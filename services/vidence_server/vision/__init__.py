"""Looking at images: decoding, geometry, reading text. Knows pixels, not documents."""
