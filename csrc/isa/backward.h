// The time loop backward: at each step the cell's gradients, and then the product that takes them to the state before.
#pragma once

#include "../threads.h"
#include "rows.h"
#include "shape.h"

namespace {

using unrolled::Barrier;

template <class Cell, class S>
struct Backward : Shape<Cell, S> {
  typedef Shape<Cell, S> Base;
  typedef typename Base::C C;
  typedef typename Base::P P;
  typedef Carried<P, C, Cell::STATES> State;
  using Base::p, Base::H, Base::wide, Base::G, Base::L;
  static constexpr int KEPT = Cell::SAVED, STATES = Cell::STATES;

  explicit Backward(const Recurrence& p) : Base{p} {}

  void begin(const State& carried, const Rows& rows) const { carried.take_in(rows, p.d_last, H, wide); }

  // extra_sums: EXTRA × wide, this thread's share of the gradients of the cell's own weights. Each step's rows are
  // added up first, and then the steps, so that the sums keep more of their digits.
  void run(const P* packed, const State& carried, const Rows& rows, C* extra_sums, int member, int members,
           Barrier& barrier) const {
    const Share units = Share::of(this->vectors, member, members), panels = Share::of(this->panels, member, members);
    const long stride = this->backward_stride;
    P* operand = carried.operand[0].get();
    const Buffer<C> step_sums(Cell::EXTRA * wide), round(p.mask ? rows.count() * wide : 0);

    for (long step = 0; step < p.T; ++step) {
      const long t = rows.time(p.T - 1 - step), n = rows.active(t);
      if (member == 0)
        for (long r = n; r < rows.count(); ++r) set_zero((t * p.B + rows[r]) * G * H);
      for (long r = 0; r < n; ++r)
        for (long vector = units.first; vector < units.end; ++vector) {
          const long unit = vector * L;
          if (H - unit >= L) take_step(carried, rows, t, r, unit, operand + r * stride, step_sums.get(), L);
          else take_step(carried, rows, t, r, unit, operand + r * stride, step_sums.get(), int(H - unit));
        }
      for (long place = 0; place < Cell::EXTRA * wide; ++place) {
        extra_sums[place] += step_sums.get()[place];
        step_sums.get()[place] = 0;
      }
      if constexpr (!Cell::PRODUCT) continue;
      barrier.wait(members);
      const long first = panels.first * TILE_VECTORS * L, end = std::min(panels.end * TILE_VECTORS * L, H);
      C* d_h = carried.leaf[0]->get();
      multiply_panels<P, C>(n, operand, stride, packed + panels.first * panel_size<P, C>(this->K_backward),
                            panels.end - panels.first, this->K_backward, (p.mask ? round.get() : d_h) + first, wide, !p.mask);
      if (p.mask)
        for (long r = 0; r < n; ++r)
          for (long unit = first; unit < end; ++unit)
            d_h[r * wide + unit] += round.get()[r * wide + unit] * static_cast<const C*>(p.mask)[rows[r] * H + unit];
      barrier.wait(members);
    }
  }

  void set_zero(long place) const {
    std::memset(static_cast<void*>(static_cast<S*>(p.d_u) + place), 0, sizeof(S) * G * H);
    if (!Cell::SAME_GRADIENT) std::memset(static_cast<void*>(static_cast<S*>(p.d_r) + place), 0, sizeof(S) * G * H);
  }

  // The cell's gradients for `count` units of one row.
  __attribute__((always_inline)) inline void take_step(const State& carried, const Rows& rows, long t, long r, long unit,
                                                       P* operand, C* step_sums, int count) const {
    const long row = rows[r], place = t * p.B + row;
    const bool first = rows.first(r, t);
    const long before_place = first ? row : rows.before(t) * p.B + row;
    Vector<C> kept[KEPT + 1], before[STATES], after[STATES], extra[Cell::EXTRA + 1], d_after[STATES], d_came_in[G],
        d_came_round[G], d_extra[Cell::EXTRA + 1], d_before[STATES];
    for (int k = 0; k < KEPT; ++k)
      kept[k] = load<C>(static_cast<const S*>(p.saved) + (place * KEPT + k) * H + unit, count);
    for (int e = 0; e < Cell::EXTRA; ++e) extra[e] = load<C>(static_cast<const C*>(p.extra[e]) + unit, count);
    const S* output = static_cast<const S*>(p.output) + unit;
    after[0] = load<C>(output + place * H, count);
    before[0] = first ? load<C>(static_cast<const C*>(p.start[0]) + row * H + unit, count)
                      : load<C>(output + before_place * H, count);
    for (int s = 1; s < STATES; ++s) {
      const C* every = static_cast<const C*>(p.every[s]) + unit;
      after[s] = load<C>(every + place * H, count);
      before[s] = load<C>((first ? static_cast<const C*>(p.start[s]) + unit : every) + before_place * H, count);
    }
    for (int s = 0; s < STATES; ++s) d_after[s] = load(*carried.leaf[s] + r * wide + unit);
    d_after[0] += load<C>(static_cast<const S*>(p.d_output) + place * H + unit, count);
    Cell::backward(kept, before, after, extra, d_after, d_came_in, d_came_round, d_extra, d_before);
    for (int g = 0; g < G; ++g) {
      const Vector<C> round = Cell::SAME_GRADIENT ? d_came_in[g] : d_came_round[g];
      store<C>(static_cast<S*>(p.d_u) + (place * G + g) * H + unit, d_came_in[g], count);
      if (!Cell::SAME_GRADIENT) store<C>(static_cast<S*>(p.d_r) + (place * G + g) * H + unit, round, count);
      if constexpr (Cell::PRODUCT) store<C>(operand + g * H + unit, round, count);
    }
    for (int s = 0; s < STATES; ++s) store(*carried.leaf[s] + r * wide + unit, d_before[s]);
    for (int e = 0; e < Cell::EXTRA; ++e) {
      C* sum = step_sums + e * wide + unit;
      store(sum, load(sum) + d_extra[e]);
    }
  }
};

}  // namespace
