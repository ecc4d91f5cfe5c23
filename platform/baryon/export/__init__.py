"""Write trained models for other programs."""
