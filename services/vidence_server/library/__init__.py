"""The library service: documents and faces that are kept, searched, exported and followed."""
