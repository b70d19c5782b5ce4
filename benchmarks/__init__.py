"""What the service can do, measured: one folder per question; see README.md."""
