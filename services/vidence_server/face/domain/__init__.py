"""What the face service decides, and the words for it."""
