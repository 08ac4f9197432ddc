"""What each worker serves; every one is started by its own interpreter, beside its own packages."""
