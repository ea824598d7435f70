"""The part of a document for human readers: labels and the values that belong to them."""
