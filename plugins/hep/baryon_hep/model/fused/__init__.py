"""Compute convolution, bias, max pooling and ReLU of `hep_cnn` in few kernels on a GPU."""
