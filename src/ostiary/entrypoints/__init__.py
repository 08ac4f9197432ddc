"""The doors: a wire format in, one call, the answer out."""
