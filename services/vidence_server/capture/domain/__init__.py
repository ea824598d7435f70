"""What a capture session knows and decides; talks to nobody, takes time and randomness as arguments."""
