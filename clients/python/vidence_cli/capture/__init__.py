"""`vidence capture`: runs sessions from a camera, a video or pictures, and shows all of them."""
