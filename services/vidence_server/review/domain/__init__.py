"""What reviews are and how they change; nothing here talks to anything."""
