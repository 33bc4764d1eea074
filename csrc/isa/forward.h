// The time loop forward: at each step the product, strip by strip of units, and on its sums the cell's step.
#pragma once

#include "../threads.h"
#include "rows.h"
#include "shape.h"

namespace {

using unrolled::Barrier;

template <class Cell, class S>
struct Forward : Shape<Cell, S> {
  typedef Shape<Cell, S> Base;
  typedef typename Base::C C;
  typedef typename Base::P P;
  typedef Carried<P, C, Cell::STATES> State;
  using Base::p, Base::H, Base::wide, Base::G, Base::L, Base::BLOCKS, Base::COLUMNS;
  static constexpr int KEPT = Cell::SAVED, STATES = Cell::STATES;
  // Rows whose sums of a strip are made before the cell's step takes them: few enough for the first cache.
  static constexpr long SOME_ROWS = 48;

  explicit Forward(const Recurrence& p) : Base{p} {}

  void begin(const State& carried, const Rows& rows) const {
    carried.take_in(rows, p.start, H, wide);
    for (long r = 0; r < rows.count(); ++r)
      for (long unit = 0; unit < H; ++unit)
        store_one(carried.operand[0] + r * this->forward_stride + unit,
                  (*carried.leaf[0] + r * wide)[unit] * (p.mask ? static_cast<const C*>(p.mask)[rows[r] * H + unit] : 1));
  }

  // What a step gives and keeps, where a row takes none.
  void set_zero(long place) const {
    std::memset(static_cast<void*>(static_cast<S*>(p.output) + place * H), 0, sizeof(S) * H);
    if (p.saved) std::memset(static_cast<void*>(static_cast<S*>(p.saved) + place * KEPT * H), 0, sizeof(S) * KEPT * H);
    for (int s = 1; s < STATES; ++s)
      if (p.every[s]) std::memset(static_cast<C*>(p.every[s]) + place * H, 0, sizeof(C) * H);
  }

  void run(const P* packed, const State& carried, const Rows& rows, int member, int members, Barrier& barrier) const {
    const Share strips = Share::of(this->strips, member, members);
    const long stride = this->forward_stride;
    const Buffer<C> sums(Buffer<C>::unset(SOME_ROWS * COLUMNS * L));

    for (long step = 0; step < p.T; ++step) {
      const long t = rows.time(step), n = rows.active(t);
      const P* now = carried.operand[step % 2].get();
      P* next = carried.operand[(step + 1) % 2].get();
      if (member == 0)
        for (long r = n; r < rows.count(); ++r) {
          set_zero(t * p.B + rows[r]);
          // A row that waits for its first step finds its operand in whichever buffer is then read.
          std::memcpy(static_cast<void*>(next + r * stride), now + r * stride, sizeof(P) * stride);
        }
      for (long strip = strips.first; strip < strips.end; ++strip)
        for (long first = 0; first < n; first += SOME_ROWS) {
          const long count = std::min(SOME_ROWS, n - first);
          if constexpr (Cell::PRODUCT)
            multiply_panels<P, C>(count, now + first * stride, stride, packed + strip * this->strip_size(), Base::PANELS,
                                  this->K_forward, sums.get(), COLUMNS * L, false);
          for (int block = 0; block < BLOCKS; ++block) {
            const long unit = (strip * BLOCKS + block) * L;
            if (H - unit >= L)
              for (long r = 0; r < count; ++r) take_step(carried, rows, t, first + r, unit, sums + (r * COLUMNS + block * G) * L, next, L);
            else if (H > unit)
              for (long r = 0; r < count; ++r)
                take_step(carried, rows, t, first + r, unit, sums + (r * COLUMNS + block * G) * L, next, int(H - unit));
          }
        }
      barrier.wait(members);
    }
  }

  // The cell's step for `count` units of one row, from its sums.
  __attribute__((always_inline)) inline void take_step(const State& carried, const Rows& rows, long t, long r, long unit,
                                                       const C* sums, P* next, int count) const {
    const long row = rows[r], place = t * p.B + row;
    const S* u = static_cast<const S*>(p.u) + place * G * H + unit;
    Vector<C> came_in[G], came_round[G], extra[Cell::EXTRA + 1], before[STATES], after[STATES], kept[KEPT + 1];
    for (int g = 0; g < G; ++g) {
      came_in[g] = load<C>(u + g * H, count);
      came_round[g] = Cell::PRODUCT ? load(sums + g * L) : Vector<C>{};
    }
    for (int e = 0; e < Cell::EXTRA; ++e) extra[e] = load<C>(static_cast<const C*>(p.extra[e]) + unit, count);
    for (int s = 0; s < STATES; ++s) before[s] = load(*carried.leaf[s] + r * wide + unit);
    Cell::forward(came_in, came_round, before, extra, after, kept);
    for (int s = 0; s < STATES; ++s) store(*carried.leaf[s] + r * wide + unit, after[s]);
    store<C>(static_cast<S*>(p.output) + place * H + unit, after[0], count);
    if constexpr (Cell::PRODUCT) {
      const Vector<C> enters = p.mask ? after[0] * load<C>(static_cast<const C*>(p.mask) + row * H + unit, count) : after[0];
      store<C>(next + r * this->forward_stride + unit, enters, count);
    }
    if (!p.saved) return;
    for (int k = 0; k < KEPT; ++k) store<C>(static_cast<S*>(p.saved) + (place * KEPT + k) * H + unit, kept[k], count);
    for (int s = 1; s < STATES; ++s)
      if (p.every[s]) store<C>(static_cast<C*>(p.every[s]) + place * H + unit, after[s], count);
  }
};

}  // namespace
