"""The face service: faces found, measured, compared and embedded, over gRPC."""
