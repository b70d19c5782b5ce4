"""Users and posts: a complete service on Kingpost."""
