// Products of whole matrices, for all times at once: into a cell, and the gradients of weights. Not every BLAS that torch
// comes with uses all of the machine: on some processors this is twice as fast.
//
// A part of B is packed for everyone (panels.h); then each thread takes tiles of rows of A past it, and the part of a tile
// stays in the first cache meanwhile. A that stands transposed is packed too, some tiles at a time. Denormal numbers count as
// the caller's mode has it.
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
  static constexpr long TERMS = 1024 / long(sizeof(C));          // at a time
  static constexpr long PANELS = 524288 / (1024 * WIDTH);        // of B at a time, in the second cache
  static constexpr long TILES = 8;                               // of transposed A at a time

  const Product& p;
  const long tiles = round_up(p.M, TILE_ROWS) / TILE_ROWS, panels = round_up(p.N, WIDTH) / WIDTH;
  const Buffer<C> packed{std::min(panels, PANELS) * panel_size<C, C>(std::min(p.K, TERMS))};
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
  template <bool PACKED>
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
        multiply_rows<C, C, PACKED>(int(count), rows, p.A_stride, weights, terms, sums, p.N, add);
        continue;
      }
      alignas(64) C last[TILE_ROWS * WIDTH];
      multiply_rows<C, C, PACKED>(int(count), rows, p.A_stride, weights, terms, last, WIDTH, false);
      for (long m = 0; m < count; ++m)
        for (long n = 0; n < columns; ++n) sums[m * p.N + n] = last[m * WIDTH + n] + (add ? sums[m * p.N + n] : 0);
    }
  }

  void rows_times_panels(Share mine, Share some, long k0, long terms, C* turned) const {
    if (!p.A_transposed) {
      for (long tile = mine.first; tile < mine.end; ++tile)
        tile_times_panels<false>(tile, a() + tile_start(tile) * p.A_stride + k0, some, k0, terms);
      return;
    }
    for (long first = mine.first; first < mine.end; first += TILES) {
      const long end = std::min(first + TILES, mine.end);
      for (long k = 0; k < terms; ++k)
        for (long tile = first; tile < end; ++tile) {
          C* into = turned + ((tile - first) * TERMS + k) * TILE_ROWS;
          const C* from = a() + (k0 + k) * p.A_stride + tile_start(tile);
          // A number of bytes that the compiler knows takes a tenth of the time of another; what a tile does not need of them
          // it does not read.
          if (tile_start(tile) + TILE_ROWS <= p.M) std::memcpy(into, from, sizeof(C) * TILE_ROWS);
          else std::memcpy(into, from, sizeof(C) * (p.M - tile_start(tile)));
        }
      for (long tile = first; tile < end; ++tile)
        tile_times_panels<true>(tile, turned + (tile - first) * TERMS * TILE_ROWS, some, k0, terms);
    }
  }

  static void work(void* context, int member, int members) {
    Matrix& self = *static_cast<Matrix*>(context);
    const Product& p = self.p;
    const Buffer<C> turned(Buffer<C>::unset(p.A_transposed ? TILES * TERMS * TILE_ROWS : 0));
    for (long first = 0; first < self.panels; first += PANELS) {
      const Share some{first, std::min(first + PANELS, self.panels)};
      for (long k0 = 0; k0 < p.K; k0 += TERMS) {
        const long terms = std::min(TERMS, p.K - k0);
        self.barrier.wait(members);  // nobody still reads what is overwritten now
        const Share packs = Share::of(some.end - some.first, member, members);
        for (long panel = packs.first; panel < packs.end; ++panel) self.pack(some.first + panel, some.first, k0, terms);
        self.barrier.wait(members);
        self.rows_times_panels(Share::of(self.tiles, member, members), some, k0, terms, turned.get());
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
