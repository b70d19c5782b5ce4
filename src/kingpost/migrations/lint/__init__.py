"""What the text of a migration's SQL says of its danger, and the safe way in its place."""
