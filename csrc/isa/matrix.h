// Products of whole matrices, for all times at once: into a cell, and the gradients of weights. Not every BLAS that torch
// comes with uses all of the machine: on some processors this is twice as fast.
//
// A part of B is packed for everyone (panels.h); then each thread takes tiles of rows of A past it, and the part of a tile
// stays in the first two caches meanwhile. Denormal numbers count as the caller's mode has it.
#pragma once

#include "../recurrence.h"
#include "../threads.h"
#include "memory.h"
#include "panels.h"

namespace {

using unrolled::Product;

template <class C>
class Matrix {
  static constexpr int L = LANES<C>, WIDTH = TILE_VECTORS * L;

  const Product& p;
  // At a time, as measured: of A as it stands so many terms that few sums are taken up again; of transposed A so few that the
  // lines on which a tile's terms stand, one each, stay in the second cache, beside the panels of B.
  const long most_terms = (p.A_transposed ? 1024 : 4096) / long(sizeof(C));
  const long most_panels = (p.A_transposed ? 262144 : 524288) / (most_terms * WIDTH * long(sizeof(C)));
  const long tiles = round_up(p.M, TILE_ROWS) / TILE_ROWS, panels = round_up(p.N, WIDTH) / WIDTH;
  const Buffer<C> packed{std::min(panels, most_panels) * panel_size<C, C>(std::min(p.K, most_terms))};
  unrolled::Barrier barrier;

  explicit Matrix(const Product& p) : p(p) {}

  const C* a() const { return static_cast<const C*>(p.A); }
  const C* b() const { return static_cast<const C*>(p.B); }
  C* to() const { return static_cast<C*>(p.to); }
  long tile_start(long tile) const { return p.M * tile / tiles; }

  void pack(long panel, long first_panel, long k0, long terms) const {
    C* into = packed + (panel - first_panel) * panel_size<C, C>(terms);
    for (int vector = 0; vector < TILE_VECTORS; ++vector) {
      const long column = panel * WIDTH + vector * L;
      if (column >= p.N) break;
      if (p.B_transposed) pack_rows<C>(into, vector, b() + column * p.B_stride + k0, p.B_stride, terms, p.N - column);
      else pack_columns<C>(into, vector, b() + k0 * p.B_stride + column, p.B_stride, terms, p.N - column);
    }
  }

  // Rows of the result, columns of some panels: their first value, and then what one part of the sum adds.
  template <bool BY_TERM>
  void tile_times_panels(long tile, const C* rows, Share some, long k0, long terms) const {
    const long m0 = tile_start(tile), count = tile_start(tile + 1) - m0;
    if (k0 == 0 && p.bias)
      for (long m = m0; m < m0 + count; ++m) {
        const long first = some.first * WIDTH, end = std::min(some.end * WIDTH, p.N);
        std::memcpy(to() + m * p.N + first, static_cast<const C*>(p.bias) + first, sizeof(C) * (end - first));
      }
    const bool add = k0 > 0 || p.bias;
    for (long panel = some.first; panel < some.end; ++panel) {
      const C* weights = packed + (panel - some.first) * panel_size<C, C>(terms);
      C* sums = to() + m0 * p.N + panel * WIDTH;
      const long columns = std::min<long>(WIDTH, p.N - panel * WIDTH);
      if (columns == WIDTH) {
        multiply_rows<C, C, BY_TERM>(int(count), rows, p.A_stride, weights, terms, sums, p.N, add);
        continue;
      }
      alignas(64) C last[TILE_ROWS * WIDTH];
      multiply_rows<C, C, BY_TERM>(int(count), rows, p.A_stride, weights, terms, last, WIDTH, false);
      for (long m = 0; m < count; ++m)
        for (long n = 0; n < columns; ++n) sums[m * p.N + n] = last[m * WIDTH + n] + (add ? sums[m * p.N + n] : 0);
    }
  }

  void rows_times_panels(Share mine, Share some, long k0, long terms) const {
    if (!p.A_transposed) {
      for (long tile = mine.first; tile < mine.end; ++tile)
        tile_times_panels<false>(tile, a() + tile_start(tile) * p.A_stride + k0, some, k0, terms);
      return;
    }
    // Where they stand: the second cache holds what neighbours share, and putting them in order took up to half of the time.
    for (long tile = mine.first; tile < mine.end; ++tile)
      tile_times_panels<true>(tile, a() + k0 * p.A_stride + tile_start(tile), some, k0, terms);
  }

  static void work(void* context, int member, int members) {
    Matrix& self = *static_cast<Matrix*>(context);
    const Product& p = self.p;
    for (long first = 0; first < self.panels; first += self.most_panels) {
      const Share some{first, std::min(first + self.most_panels, self.panels)};
      for (long k0 = 0; k0 < p.K; k0 += self.most_terms) {
        const long terms = std::min(self.most_terms, p.K - k0);
        self.barrier.wait(members);  // nobody still reads what is overwritten now
        const Share packs = Share::of(some.end - some.first, member, members);
        for (long panel = packs.first; panel < packs.end; ++panel) self.pack(some.first + panel, some.first, k0, terms);
        self.barrier.wait(members);
        self.rows_times_panels(Share::of(self.tiles, member, members), some, k0, terms);
      }
    }
  }

 public:
  static void call(const Product& p) {
    Matrix self(p);
    // A thread more must have enough to do: some hundred thousand terms.
    const long worth = p.M * p.N * p.K / 524288;
    unrolled::together(int(std::clamp<long>(worth, 1, p.threads)), work, &self);
  }
};

}  // namespace
