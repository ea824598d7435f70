"""`vidence library`: collections of documents and faces."""
