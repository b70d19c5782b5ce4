"""The pytest plugin of Kingpost."""
