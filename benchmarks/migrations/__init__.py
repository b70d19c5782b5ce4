"""What does traffic feel of three deploys that change the schema? See README.md."""
