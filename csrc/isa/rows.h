// The rows of a batch that one team of threads carries through time, and what it carries of them.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "../recurrence.h"
#include "memory.h"

namespace {

using unrolled::Recurrence;

// Rows in order of length, longest first: those that still run, or run already, are then always the first ones.
class Rows {
 public:
  // Those of one team among several, dealt out so that every team has as many long ones.
  Rows(const Recurrence& p, int team, int teams) : p_(p) {
    if (!p.lengths) {  // neighbours in memory stay together
      const Share part = Share::of(p.B, team, teams);
      for (long b = part.first; b < part.end; ++b) rows_.push_back(b);
      return;
    }
    std::vector<long> order(p.B);
    for (long b = 0; b < p.B; ++b) order[b] = b;
    std::stable_sort(order.begin(), order.end(), [&](long a, long b) { return p.lengths[a] > p.lengths[b]; });
    for (long b = team; b < p.B; b += teams) rows_.push_back(order[b]);
  }

  long count() const { return long(rows_.size()); }
  long operator[](long r) const { return rows_[r]; }
  long length(long r) const { return p_.lengths ? p_.lengths[rows_[r]] : p_.T; }

  // How many of them take step t.
  long active(long t) const {
    long n = count();
    if (p_.lengths)
      while (n > 0 && p_.lengths[rows_[n - 1]] <= t) --n;
    return n;
  }

  // The time of step number `step`, and that of the step before it.
  long time(long step) const { return p_.reverse ? p_.T - 1 - step : step; }
  long before(long t) const { return p_.reverse ? t + 1 : t - 1; }
  // Whether row r takes its first step at time t.
  bool first(long r, long t) const { return p_.reverse ? t == length(r) - 1 : t == 0; }

 private:
  const Recurrence& p_;
  std::vector<long> rows_;
};

// What a team carries from step to step: operands of the product, (rows, K), and the state or its gradient, (rows, wide) a leaf.
template <class P, class C, int STATES>
struct Carried {
  Buffer<P> operand[2];
  std::unique_ptr<Buffer<C>> leaf[STATES];

  Carried(long rows, long K, long wide) : operand{Buffer<P>(rows * K), Buffer<P>(rows * K)} {
    for (auto& one : leaf) one = std::make_unique<Buffer<C>>(rows * wide);
  }

  void take_in(const Rows& rows, const void* const* from, long H, long wide) const {
    for (int s = 0; s < STATES; ++s)
      for (long r = 0; r < rows.count(); ++r)
        std::memcpy(*leaf[s] + r * wide, static_cast<const C*>(from[s]) + rows[r] * H, sizeof(C) * H);
  }

  void hand_out(const Rows& rows, void* const* to, long H, long wide) const {
    for (int s = 0; s < STATES; ++s)
      for (long r = 0; r < rows.count(); ++r)
        std::memcpy(static_cast<C*>(to[s]) + rows[r] * H, *leaf[s] + r * wide, sizeof(C) * H);
  }
};

}  // namespace
