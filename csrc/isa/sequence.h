// A whole call, forward or backward: weights are packed, the rows go through time on all threads, sums are added up.
//
// Rows do not depend on each other, so each thread takes some of them through all of time, without waiting for anyone.
// With too few rows to go round, the threads share the units of all rows instead, and meet once a step (forward) or twice
// (backward).
#pragma once

#include "backward.h"
#include "forward.h"

namespace {

using unrolled::together;

template <class Cell, class S, bool FORWARD>
class Sequence {
  typedef std::conditional_t<FORWARD, Forward<Cell, S>, Backward<Cell, S>> Pass;
  typedef typename Pass::C C;
  typedef typename Pass::P P;
  typedef typename Pass::State State;

  const Recurrence& p;
  const Pass pass{p};
  const Buffer<P> packed{pass.packed_size(FORWARD)};
  const Buffer<C> extra_sums{FORWARD ? 0 : p.threads * Cell::EXTRA * pass.wide};  // (threads, EXTRA, wide)
  const Rows* all = nullptr;       // the rows and what is carried of them, where threads share the units;
  const State* carried = nullptr;  // null where each thread has rows of its own
  Barrier barrier;

  explicit Sequence(const Recurrence& p) : p(p) {}

  // Threads take rows each where every one then fills a tile, and share the units of all rows otherwise.
  bool share_units() const { return p.B < 4L * p.threads; }

  State carry(const Rows& rows) const {
    return State(rows.count(), FORWARD ? pass.forward_stride : pass.backward_stride, pass.wide);
  }

  void take_part(int member, int members) {
    const Flush flush;
    if constexpr (Cell::PRODUCT) {
      if constexpr (FORWARD) pass.pack_forward(packed.get(), Share::of(pass.strips, member, members));
      else pass.pack_backward(packed.get(), Share::of(pass.panels, member, members));
    }
    barrier.wait(members);
    if (all) return run(*all, *carried, member, members, member);
    const Rows rows(p, member, members);
    const State own = carry(rows);
    pass.begin(own, rows);
    run(rows, own, 0, 1, member);
    own.hand_out(rows, FORWARD ? p.last : p.d_start, p.H, pass.wide);
  }

  void run(const Rows& rows, const State& state, int member, int members, int thread) {
    Barrier alone;  // a thread with rows of its own waits for nobody
    Barrier& meeting = members > 1 ? barrier : alone;
    if constexpr (FORWARD) pass.run(packed.get(), state, rows, member, members, meeting);
    else pass.run(packed.get(), state, rows, extra_sums + thread * Cell::EXTRA * pass.wide, member, members, meeting);
  }

  static void work(void* context, int member, int members) { static_cast<Sequence*>(context)->take_part(member, members); }

  void start() {
    if (!share_units()) {
      together(p.threads, work, this);
    } else {
      // Threads that meet at every step pay only where each has a good part of a step to do.
      const long worth = Cell::PRODUCT ? p.H * p.H * Cell::GATES * p.B / 65536 : 1;
      const Rows rows(p, 0, 1);
      const State state = carry(rows);
      pass.begin(state, rows);
      all = &rows, carried = &state;
      together(int(std::clamp<long>(worth, 1, p.threads)), work, this);
      state.hand_out(rows, FORWARD ? p.last : p.d_start, p.H, pass.wide);
    }
    if constexpr (!FORWARD) add_up();
  }

  // The threads' shares of the gradients of the cell's own weights.
  void add_up() const {
    for (int e = 0; e < Cell::EXTRA; ++e)
      for (long unit = 0; unit < p.H; ++unit) {
        C sum = 0;
        for (int thread = 0; thread < p.threads; ++thread)
          sum += extra_sums.get()[(thread * Cell::EXTRA + e) * pass.wide + unit];
        static_cast<C*>(p.d_extra[e])[unit] = sum;
      }
  }

 public:
  static void call(const Recurrence& p) { Sequence(p).start(); }
};

}  // namespace
