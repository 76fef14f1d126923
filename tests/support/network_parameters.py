"""The number of parameters of a residual network, computed by hand."""


def count_convolution(size, inputs, outputs):
    return size * size * inputs * outputs


def count_residual(width, depth):
    """Kernels, and four numbers per channel for each normalisation; two dense heads."""
    count, inputs = count_convolution(3, 1, width) + 4 * width, width
    for stage, blocks in enumerate(depth):
        outputs = width * 2**stage
        for block in range(blocks):
            channels = inputs if block == 0 else outputs
            count += count_convolution(3, channels, outputs) + count_convolution(3, outputs, outputs) + 8 * outputs
            count += count_convolution(1, channels, outputs) + 4 * outputs if channels != outputs else 0
        inputs = outputs
    return count + (inputs + 1) * (7 + 8)
