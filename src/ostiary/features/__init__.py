"""What the product does: journeys → grants → proofs → facts → records."""
