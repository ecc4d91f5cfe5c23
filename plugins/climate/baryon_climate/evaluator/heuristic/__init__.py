"""Detection by hand-made criteria in physical units, as climate science has done it (TECA)."""
