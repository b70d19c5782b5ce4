"""Has a request become dearer? See README.md."""
