"""Proves on a throw-away PostgreSQL what a change of the schema does to a service that runs."""
