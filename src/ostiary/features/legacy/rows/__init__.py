"""What the rows of another system are here: profiles, the rows of an owner, and what they become. Pure but for reading."""
