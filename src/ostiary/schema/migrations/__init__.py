"""The history of the schema, one file for each revision; a released one is never changed."""
