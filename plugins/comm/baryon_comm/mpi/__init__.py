"""All ranks: starting MPI, who is who, talking to everybody, dying ones."""
