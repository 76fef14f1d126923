"""The number of parameters of a residual network, computed by hand."""


def conv(size, inner, outer):
    return size * size * inner * outer


def residual_parameters(width, depth):
    """Kernels, and four numbers a channel for each normalisation; two dense heads."""
    count, inner = conv(3, 1, width) + 4 * width, width
    for stage, blocks in enumerate(depth):
        outer = width * 2**stage
        for block in range(blocks):
            first = inner if block == 0 else outer
            count += conv(3, first, outer) + conv(3, outer, outer) + 8 * outer
            count += conv(1, first, outer) + 4 * outer if first != outer else 0
        inner = outer
    return count + (inner + 1) * (7 + 8)
