"""How a page lies in a picture, and the page as if it lay straight."""
