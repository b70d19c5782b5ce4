"""The command line `kingpost`: one module for each group of commands."""
