// The time loop, forward and backward, for any cell.
//
// Rows do not depend on each other, so each thread takes some of them through all of time, without waiting for anyone.
// With too few rows to go round, the threads share the units of all rows instead, and meet once a step (forward) or twice (backward).
//
// Rows stand in order of length, longest first: those that still run, or run already, are then always the first ones.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

#include "../recurrence.h"
#include "../threads.h"
#include "cells.h"
#include "product.h"

namespace {

using unrolled::Barrier;
using unrolled::together;
using unrolled::Recurrence;

template <class T>
class Buffer {  // zeros, aligned for vectors
 public:
  explicit Buffer(long count)
      : data_(static_cast<T*>(std::aligned_alloc(64, round_up(std::max(count, 1L) * long(sizeof(T)), 64)))) {
    if (!data_) throw std::bad_alloc();
    std::memset(data_.get(), 0, sizeof(T) * std::max(count, 1L));
  }
  T* get() const { return data_.get(); }
  T* operator+(long offset) const { return data_.get() + offset; }

 private:
  struct Free {
    void operator()(T* data) const { std::free(data); }
  };
  std::unique_ptr<T, Free> data_;
};

// Numbers below the smallest normal one count as zero while this lives: they cost a hundred times as much and mean nothing.
class Flush {
 public:
#if defined(__x86_64__)
  Flush() : before_(__builtin_ia32_stmxcsr()) { __builtin_ia32_ldmxcsr(before_ | 0x8040u); }
  ~Flush() { __builtin_ia32_ldmxcsr(before_); }

 private:
  unsigned before_;
#endif
};

// A contiguous part of `count` things for one of `members`.
struct Share {
  long first, end;
  static Share of(long count, int member, int members) {
    return {count * member / members, count * (member + 1) / members};
  }
};

template <class Cell, class S>
struct Sequence {
  typedef typename Operand<S>::Computed C;
  typedef typename Operand<S>::Type P;

  static constexpr int G = Cell::GATES, STATES = Cell::STATES, L = LANES<C>;
  static constexpr int KEPT = Cell::SAVED;
  // Forward, a panel is all gates of BLOCKS vectors of units; backward, NV vectors of columns.
  static constexpr int BLOCKS = G == 1 ? 4 : 1;
  static constexpr int NV = 4;
  static constexpr int MOST_ROWS = most_rows(1);

  const Recurrence& p;
  const long H = p.H, B = p.B, T = p.T;
  const long vectors = round_up(H, L) / L;             // of units
  const long wide = vectors * L;                       // H with its last vector filled
  const long K_forward = round_up(H, 32), K_backward = round_up(G * H, 32);
  const long forward_panels = round_up(vectors, BLOCKS) / BLOCKS;
  const long backward_panels = round_up(vectors, NV) / NV;

  static long terms(long k) { return round_up(k, Terms<P>::COUNT); }

  // --- packing ---

  // Element (k, vector v, lane) of a panel of NV vectors.
  static long place(long k, int v, int lane, int count) {
    constexpr int N = Terms<P>::COUNT;
    return ((k / N * count + v) * L + lane) * N + k % N;
  }

  void pack_forward(P* packed, Share panels) const {
    const C* W = static_cast<const C*>(p.W);
    for (long panel = panels.first; panel < panels.end; ++panel) {
      P* to = packed + panel * terms(H) * BLOCKS * G * L;
      for (int block = 0; block < BLOCKS; ++block)
        for (int g = 0; g < G; ++g)
          for (long k0 = 0; k0 < H; k0 += 16)
            for (int lane = 0; lane < L; ++lane) {
              const long unit = (panel * BLOCKS + block) * L + lane;
              if (unit >= H) continue;
              const C* from = W + (g * H + unit) * H;
              for (long k = k0; k < std::min(k0 + 16, H); ++k)
                store_one(to + place(k, block * G + g, lane, BLOCKS * G), from[k]);
            }
    }
  }

  void pack_backward(P* packed, Share panels) const {
    const C* W = static_cast<const C*>(p.W);
    for (long panel = panels.first; panel < panels.end; ++panel) {
      P* to = packed + panel * terms(G * H) * NV * L;
      for (long k = 0; k < G * H; ++k)
        for (int v = 0; v < NV; ++v)
          for (int lane = 0; lane < L; ++lane) {
            const long column = (panel * NV + v) * L + lane;
            if (column < H) store_one(to + place(k, v, lane, NV), W[k * H + column]);
          }
    }
  }

  // --- rows ---

  long length(long row) const { return p.lengths ? p.lengths[row] : T; }

  // The rows of one team, longest first; dealt out in turn, so that every team has as many long ones.
  std::vector<long> rows_of(int team, int teams) const {
    std::vector<long> order(B);
    for (long b = 0; b < B; ++b) order[b] = b;
    if (p.lengths)
      std::stable_sort(order.begin(), order.end(), [&](long a, long b) { return p.lengths[a] > p.lengths[b]; });
    std::vector<long> mine;
    if (!p.lengths) {  // neighbours in memory stay together
      const Share part = Share::of(B, team, teams);
      mine.assign(order.begin() + part.first, order.begin() + part.end);
    } else {
      for (long b = team; b < B; b += teams) mine.push_back(order[b]);
    }
    return mine;
  }

  // How many of the rows take step t.
  long active(const std::vector<long>& rows, long t) const {
    if (!p.lengths) return long(rows.size());
    long n = long(rows.size());
    while (n > 0 && p.lengths[rows[n - 1]] <= t) --n;
    return n;
  }

  // --- what the rows of one team carry from step to step ---
  struct Carried {
    Buffer<P> operand[2];          // (rows, K): what enters the product
    std::unique_ptr<Buffer<C>> leaf[STATES];  // (rows, wide): the state, or its gradient
    Carried(long rows, long K, long wide) : operand{Buffer<P>(rows * K), Buffer<P>(rows * K)} {
      for (auto& one : leaf) one = std::make_unique<Buffer<C>>(rows * wide);
    }
  };

  void take_in(const Carried& carried, const std::vector<long>& rows, const void* const* from) const {
    for (int s = 0; s < STATES; ++s)
      for (std::size_t r = 0; r < rows.size(); ++r)
        std::memcpy(*carried.leaf[s] + r * wide, static_cast<const C*>(from[s]) + rows[r] * H, sizeof(C) * H);
  }

  void hand_out(const Carried& carried, const std::vector<long>& rows, void* const* to) const {
    for (int s = 0; s < STATES; ++s)
      for (std::size_t r = 0; r < rows.size(); ++r)
        std::memcpy(static_cast<C*>(to[s]) + rows[r] * H, *carried.leaf[s] + r * wide, sizeof(C) * H);
  }

  // --- forward ---

  // What a step gives and keeps, where a row takes none.
  void set_zero(long place) const {
    std::memset(static_cast<S*>(p.output) + place * H, 0, sizeof(S) * H);
    if (p.saved) std::memset(static_cast<S*>(p.saved) + place * KEPT * H, 0, sizeof(S) * KEPT * H);
    for (int s = 1; s < STATES; ++s)
      if (p.every[s]) std::memset(static_cast<C*>(p.every[s]) + place * H, 0, sizeof(C) * H);
  }

  void forward(const P* packed, const Carried& carried, const std::vector<long>& rows, int member, int members,
               Barrier& barrier) const {
    const Share panels = Share::of(forward_panels, member, members);
    const S* u = static_cast<const S*>(p.u);
    S* output = static_cast<S*>(p.output);
    S* saved = static_cast<S*>(p.saved);
    constexpr int COLUMNS = BLOCKS * G;
    alignas(64) C sums[MOST_ROWS * COLUMNS * L];

    for (long step = 0; step < T; ++step) {
      const long t = p.reverse ? T - 1 - step : step;
      const long n = active(rows, t);
      const P* now = carried.operand[step % 2].get();
      P* next = carried.operand[(step + 1) % 2].get();
      if (member == 0)
        for (std::size_t r = n; r < rows.size(); ++r) {
          set_zero(t * B + rows[r]);
          // A row that waits for its first step finds its operand in whichever buffer is then read.
          std::memcpy(next + r * K_forward, now + r * K_forward, sizeof(P) * K_forward);
        }
      const long tiles = round_up(n, most_rows(COLUMNS)) / most_rows(COLUMNS);
      for (long panel = panels.first; panel < panels.end; ++panel) {
        const P* weights = packed + panel * terms(H) * COLUMNS * L;
        for (long tile = 0; tile < tiles; ++tile) {
          const Share part = Share::of(n, int(tile), int(tiles));
          multiply_rows<P, C, COLUMNS>(int(part.end - part.first), now + part.first * K_forward, K_forward, weights,
                                       terms(H), sums);
          for (long r = part.first; r < part.end; ++r)
            for (int block = 0; block < BLOCKS; ++block) {
              const long unit = (panel * BLOCKS + block) * L;
              if (unit >= H) break;
              const int count = int(std::min<long>(L, H - unit));
              const long place = t * B + rows[r];
              Vector<C> came_in[G], came_round[G], extra[Cell::EXTRA + 1], before[STATES], after[STATES], kept[KEPT + 1];
              for (int g = 0; g < G; ++g) {
                came_in[g] = load<C>(u + (place * G + g) * H + unit, count);
                came_round[g] = load(sums + (((r - part.first) * BLOCKS + block) * G + g) * L);
              }
              for (int e = 0; e < Cell::EXTRA; ++e)
                extra[e] = load<C>(static_cast<const C*>(p.extra[e]) + unit, count);
              for (int s = 0; s < STATES; ++s) before[s] = load(*carried.leaf[s] + r * wide + unit);
              Cell::forward(came_in, came_round, before, extra, after, kept);
              for (int s = 0; s < STATES; ++s) store(*carried.leaf[s] + r * wide + unit, after[s]);
              store<C>(output + place * H + unit, after[0], count);
              store<C>(next + r * K_forward + unit, after[0], count);
              if (saved)
                for (int k = 0; k < KEPT; ++k) store<C>(saved + (place * KEPT + k) * H + unit, kept[k], count);
              for (int s = 1; s < STATES; ++s)
                if (p.every[s]) store<C>(static_cast<C*>(p.every[s]) + place * H + unit, after[s], count);
            }
        }
      }
      barrier.wait(members);
    }
  }

  // --- backward ---

  // extra_sums: EXTRA × wide, this thread's share of the gradients of the cell's own weights. Each step's rows are
  // added up first, and then the steps, so that the sums keep more of their digits.
  void backward(const P* packed, const Carried& carried, const std::vector<long>& rows, C* extra_sums, int member,
                int members, Barrier& barrier) const {
    const Share units = Share::of(vectors, member, members), panels = Share::of(backward_panels, member, members);
    const S* saved = static_cast<const S*>(p.saved);
    const S* output = static_cast<const S*>(p.output);
    const S* d_output = static_cast<const S*>(p.d_output);
    S* d_u = static_cast<S*>(p.d_u);
    S* d_r = static_cast<S*>(p.d_r);
    P* operand = carried.operand[0].get();
    alignas(64) C sums[MOST_ROWS * NV * L];
    const Buffer<C> step_sums(Cell::EXTRA * wide);

    for (long step = 0; step < T; ++step) {
      const long t = p.reverse ? step : T - 1 - step;
      const long before_t = p.reverse ? t + 1 : t - 1;
      const long n = active(rows, t);
      if (member == 0)
        for (std::size_t r = n; r < rows.size(); ++r) {
          std::memset(d_u + (t * B + rows[r]) * G * H, 0, sizeof(S) * G * H);
          if (!Cell::SAME_GRADIENT) std::memset(d_r + (t * B + rows[r]) * G * H, 0, sizeof(S) * G * H);
        }
      for (long r = 0; r < n; ++r) {
        const long row = rows[r], place = t * B + row, before_place = before_t * B + row;
        const bool first = p.reverse ? t == length(row) - 1 : t == 0;
        for (long vector = units.first; vector < units.end; ++vector) {
          const long unit = vector * L;
          const int count = int(std::min<long>(L, H - unit));
          Vector<C> kept[KEPT + 1], before[STATES], after[STATES], extra[Cell::EXTRA + 1], d_after[STATES],
              d_came_in[G], d_came_round[G], d_extra[Cell::EXTRA + 1], d_before[STATES];
          for (int k = 0; k < KEPT; ++k) kept[k] = load<C>(saved + (place * KEPT + k) * H + unit, count);
          for (int e = 0; e < Cell::EXTRA; ++e)
            extra[e] = load<C>(static_cast<const C*>(p.extra[e]) + unit, count);
          after[0] = load<C>(output + place * H + unit, count);
          before[0] = first ? load<C>(static_cast<const C*>(p.start[0]) + row * H + unit, count)
                            : load<C>(output + before_place * H + unit, count);
          for (int s = 1; s < STATES; ++s) {
            const C* every = static_cast<const C*>(p.every[s]);
            after[s] = load<C>(every + place * H + unit, count);
            before[s] = first ? load<C>(static_cast<const C*>(p.start[s]) + row * H + unit, count)
                              : load<C>(every + before_place * H + unit, count);
          }
          for (int s = 0; s < STATES; ++s) d_after[s] = load(*carried.leaf[s] + r * wide + unit);
          d_after[0] += load<C>(d_output + place * H + unit, count);
          Cell::backward(kept, before, after, extra, d_after, d_came_in, d_came_round, d_extra, d_before);
          for (int g = 0; g < G; ++g) {
            const Vector<C> round = Cell::SAME_GRADIENT ? d_came_in[g] : d_came_round[g];
            store<C>(d_u + (place * G + g) * H + unit, d_came_in[g], count);
            if (!Cell::SAME_GRADIENT) store<C>(d_r + (place * G + g) * H + unit, round, count);
            store<C>(operand + r * K_backward + g * H + unit, round, count);
          }
          for (int s = 0; s < STATES; ++s) store(*carried.leaf[s] + r * wide + unit, d_before[s]);
          for (int e = 0; e < Cell::EXTRA; ++e) {
            C* sum = step_sums + e * wide + unit;
            store(sum, load(sum) + d_extra[e]);
          }
        }
      }
      for (long place = 0; place < Cell::EXTRA * wide; ++place) {
        extra_sums[place] += step_sums.get()[place];
        step_sums.get()[place] = 0;
      }
      barrier.wait(members);
      const long tiles = round_up(n, most_rows(NV)) / most_rows(NV);
      for (long panel = panels.first; panel < panels.end; ++panel) {
        const P* weights = packed + panel * terms(G * H) * NV * L;
        for (long tile = 0; tile < tiles; ++tile) {
          const Share part = Share::of(n, int(tile), int(tiles));
          multiply_rows<P, C, NV>(int(part.end - part.first), operand + part.first * K_backward, K_backward, weights,
                                  terms(G * H), sums);
          for (long r = part.first; r < part.end; ++r)
            for (int v = 0; v < NV && (panel * NV + v) * L < H; ++v) {
              C* d_h = *carried.leaf[0] + r * wide + (panel * NV + v) * L;
              store(d_h, load(d_h) + load(sums + ((r - part.first) * NV + v) * L));
            }
        }
      }
      barrier.wait(members);
    }
  }

  // --- the team ---

  // Threads take rows each where every one then fills a tile, and share the units of all rows otherwise.
  bool share_units(int threads) const { return B < 4L * threads; }

  struct Call {
    const Sequence& sequence;
    const bool forward;
    P* const packed;
    C* const extra_sums;    // (members, EXTRA, wide)
    Carried* const shared;  // null where each thread has rows of its own
    const std::vector<long>& rows;
    Barrier barrier;
  };

  static void work(void* context, int member, int members) {
    Call& call = *static_cast<Call*>(context);
    const Sequence& self = call.sequence;
    const Flush flush;
    if (call.forward) self.pack_forward(call.packed, Share::of(self.forward_panels, member, members));
    else self.pack_backward(call.packed, Share::of(self.backward_panels, member, members));
    call.barrier.wait(members);
    C* const extra_sums = call.extra_sums + member * Cell::EXTRA * self.wide;
    if (call.shared) return self.run(call, *call.shared, call.rows, extra_sums, member, members);
    const std::vector<long> rows = self.rows_of(member, members);
    Carried carried(long(rows.size()), call.forward ? self.K_forward : self.K_backward, self.wide);
    self.begin(carried, call.forward, rows);
    self.run(call, carried, rows, extra_sums, 0, 1);
    self.hand_out(carried, rows, call.forward ? self.p.last : self.p.d_start);
  }

  void run(Call& call, const Carried& carried, const std::vector<long>& rows, C* extra_sums, int member,
           int members) const {
    if (call.forward) forward(call.packed, carried, rows, member, members, call.barrier);
    else backward(call.packed, carried, rows, extra_sums, member, members, call.barrier);
  }

  void begin(const Carried& carried, bool is_forward, const std::vector<long>& rows) const {
    take_in(carried, rows, is_forward ? p.start : p.d_last);
    if (!is_forward) return;
    for (std::size_t r = 0; r < rows.size(); ++r)
      for (long unit = 0; unit < H; ++unit)
        store_one(carried.operand[0] + r * K_forward + unit, (*carried.leaf[0] + r * wide)[unit]);
  }

  static void start(const Recurrence& p, bool is_forward) {
    const Sequence self{p};
    const long panels = is_forward ? self.forward_panels : self.backward_panels;
    const Buffer<P> packed(panels * (is_forward ? terms(p.H) * BLOCKS * G * L : terms(G * p.H) * NV * L));
    const Buffer<C> extra_sums(is_forward ? 0 : p.threads * Cell::EXTRA * self.wide);
    if (!self.share_units(p.threads)) {
      Call call{self, is_forward, packed.get(), extra_sums.get(), nullptr, {}, {}};
      together(p.threads, work, &call);
    } else {
      // Threads that meet at every step pay only where each has a good part of a step to do.
      const long worth = p.H * p.H * G * p.B / 65536;
      const std::vector<long> rows = self.rows_of(0, 1);
      Carried carried(p.B, is_forward ? self.K_forward : self.K_backward, self.wide);
      self.begin(carried, is_forward, rows);
      Call call{self, is_forward, packed.get(), extra_sums.get(), &carried, rows, {}};
      together(int(std::clamp<long>(worth, 1, p.threads)), work, &call);
      self.hand_out(carried, rows, is_forward ? p.last : p.d_start);
    }
    if (!is_forward) self.add_up(extra_sums.get(), p.threads);
  }

  // The threads' shares of the gradients of the cell's own weights.
  void add_up(const C* sums, int threads) const {
    for (int e = 0; e < Cell::EXTRA; ++e)
      for (long unit = 0; unit < H; ++unit) {
        C sum = 0;
        for (int member = 0; member < threads; ++member) sum += sums[(member * Cell::EXTRA + e) * wide + unit];
        static_cast<C*>(p.d_extra[e])[unit] = sum;
      }
  }

  static void forward_pass(const Recurrence& p) { start(p, true); }
  static void backward_pass(const Recurrence& p) { start(p, false); }
};

}  // namespace
