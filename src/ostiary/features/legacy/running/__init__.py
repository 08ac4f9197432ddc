"""The run: capture, batches, whoever changed meanwhile, rows without an owner."""
