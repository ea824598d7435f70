"""The stream contract: logs with cursors, and how everybody who watches one gets all of it."""
