"""Whether a rehearsal finds what harms traffic, beside what squawk says of the same SQL."""
