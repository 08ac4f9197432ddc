"""Who serves: cutting over, going back, contracting, and putting back what was erased."""
