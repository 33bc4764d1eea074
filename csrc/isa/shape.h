// What is constant in one call: sizes, panels, and the packing of the recurrent weights.
#pragma once

#include "../recurrence.h"
#include "cells.h"
#include "memory.h"
#include "panels.h"

namespace {

using unrolled::Recurrence;

template <class Cell, class S>
struct Shape {
  typedef typename Operand<S>::Computed C;
  typedef typename Operand<S>::Type P;

  static constexpr int G = Cell::GATES, L = LANES<C>;
  // Forward, a strip is all gates of BLOCKS vectors of units, as many panels as that fills; backward, panels stand by themselves.
  static constexpr int BLOCKS = G % TILE_VECTORS ? TILE_VECTORS : 1;
  static constexpr int COLUMNS = BLOCKS * G, PANELS = COLUMNS / TILE_VECTORS;

  const Recurrence& p;
  const long H = p.H;
  const long vectors = round_up(H, L) / L;                              // of units
  const long strips = round_up(vectors, BLOCKS) / BLOCKS;
  const long panels = round_up(vectors, TILE_VECTORS) / TILE_VECTORS;   // of columns, backward
  const long wide = panels * TILE_VECTORS * L;                          // H with its last panel filled
  const long K_forward = round_up(H, Terms<P>::COUNT), K_backward = round_up(G * H, Terms<P>::COUNT);
  // From row to row of an operand: never a power of two, which would send all rows to the same few places of a cache.
  const long forward_stride = round_up(H, 32) + 32, backward_stride = round_up(G * H, 32) + 32;

  long strip_size() const { return PANELS * panel_size<P, C>(K_forward); }
  long packed_size(bool forward) const {
    if (!Cell::PRODUCT) return 0;
    return forward ? strips * strip_size() : panels * panel_size<P, C>(K_backward);
  }

  void pack_forward(P* packed, Share some) const {
    for (long strip = some.first; strip < some.end; ++strip)
      for (int column = 0; column < COLUMNS; ++column) {
        const long unit = (strip * BLOCKS + column / G) * L, gate = column % G;
        if (unit >= H) break;
        P* panel = packed + strip * strip_size() + column / TILE_VECTORS * panel_size<P, C>(K_forward);
        pack_rows<P, C>(panel, column % TILE_VECTORS, static_cast<const C*>(p.W) + (gate * H + unit) * H, H, H, H - unit);
      }
  }

  void pack_backward(P* packed, Share some) const {
    for (long panel = some.first; panel < some.end; ++panel)
      for (int vector = 0; vector < TILE_VECTORS; ++vector) {
        const long unit = (panel * TILE_VECTORS + vector) * L;
        if (unit >= H) break;
        pack_columns<P, C>(packed + panel * panel_size<P, C>(K_backward), vector, static_cast<const C*>(p.W) + unit, H,
                           G * H, H - unit);
      }
  }
};

}  // namespace
