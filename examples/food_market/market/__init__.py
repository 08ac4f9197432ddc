"""The food market as it is written today: its own tables, and Ostiary embedded beside them."""
