"""How a step is computed on this hardware: precision, memory format, compilation, micro-batches."""
