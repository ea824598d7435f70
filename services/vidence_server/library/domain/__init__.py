"""What libraries, documents and faces are, and what may become of them."""
