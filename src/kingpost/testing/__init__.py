"""Test kit for services on Kingpost."""
