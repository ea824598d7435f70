"""The index beside the log: what listings search. SQLite, in the file of the log."""
