"""Reading text: where lines are (detector), what they say (recogniser), and the reader that joins both."""
