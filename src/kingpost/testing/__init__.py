"""The test kit: a real PostgreSQL, the service and a query budget, as pytest fixtures.

Installing `kingpost[testing]` is enough, pytest finds `kingpost.testing.plugin` by itself.
Whatever a fixture returns has its type in the module beside it.
"""

__all__: list[str] = []  # importing the package costs nothing: pytest does it at every start
