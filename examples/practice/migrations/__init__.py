"""How the practice's own tables came to be."""
