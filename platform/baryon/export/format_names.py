"""Names of the formats of `baryon export`, known without PyTorch."""

SUFFIXES = {"safetensors": "safetensors", "torch": "pt2", "onnx": "onnx"}
"""Format -> how the name of its file ends."""
