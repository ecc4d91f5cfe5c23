"""A pooled block of `hep_cnn` in few kernels: convolution, bias, max pooling and ReLU together."""
