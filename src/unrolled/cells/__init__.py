"""One file per family of cells. A cell is one step; `unrolled.kernels` makes sequences of it."""
