"""Train climate detectors in several ways on the same frames, and compare them."""
