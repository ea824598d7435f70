"""The capture service: a camera's frames in, guidance and pictures of faces and documents out."""
