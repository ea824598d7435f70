"""How good a picture of a face is: components with the names of ISO/IEC 29794-5."""
