"""A practice: therapists whose licences are checked before anybody finds them, and their clients."""
