"""What all tests share; the database, the service and the client come from kingpost.testing."""

pytest_plugins = ["pytester"]
