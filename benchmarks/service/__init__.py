"""How much CPU does a request cost, side by side with others? See README.md."""
