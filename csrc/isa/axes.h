// Axes of a row's numbers: what stands along one of them many times over, and sums along one.
#pragma once

#include <algorithm>

#include "vector.h"

namespace {

// Where number `unit` of (…, times, run) stands: in which group, in which of its runs, and where in that one.
struct Runs {
  const long times, run;
  long group, which, inside;

  Runs(long unit, long times_, long run_)
      : times(times_), run(run_), group(unit / (times * run)), which(unit / run % times), inside(unit % run) {}

  // Of `count` numbers from there on, calls one(k, how many, first number of (…, run), of how many runs that follow each other,
  // whether the first of these is its group's first): for all whole runs of a group at once, and for each piece of a run.
  template <class One>
  void each(long count, const One& one) {
    for (long k = 0; k < count;) {
      const long whole = inside == 0 ? std::min(times - which, (count - k) / run) : 0;
      const long some = whole ? run : std::min(run - inside, count - k), together = std::max(whole, 1L);
      one(k, some, group * run + inside, together, which == 0);
      k += some * together, inside = 0;
      which += together;
      if (which == times) which = 0, ++group;
    }
  }

  // For runs of one number: calls one(k, how many runs, their group, whether the first of these is its first).
  template <class One>
  void each_group(long count, const One& one) {
    for (long k = 0; k < count;) {
      const long some = std::min(times - which, count - k);
      one(k, some, group, which == 0);
      k += some, which = 0, ++group;
    }
  }
};

template <class C>
void expand(C* to, const C* from, Runs runs, long count) {
  if (runs.run == 1)
    return runs.each_group(count, [&](long k, long some, long group, bool) {
      for (long j = 0; j < some; j += LANES<C>) store<C>(to + k + j, all(from[group]), int(std::min<long>(LANES<C>, some - j)));
    });
  runs.each(count, [&](long k, long some, long first, long times, bool) {
    for (long j = 0; j < some; j += LANES<C>) {
      const int lanes = int(std::min<long>(LANES<C>, some - j));
      const Vector<C> same = load<C>(from + first + j, lanes);
      for (long which = 0; which < times; ++which) store<C>(to + k + which * runs.run + j, same, lanes);
    }
  });
}

// All of them.
template <class C>
C sum(const C* from, long count) {
  Vector<C> lanes{};
  for (long k = 0; k < count; k += LANES<C>) lanes += load<C>(from + k, int(std::min<long>(LANES<C>, count - k)));
  C total = 0;
  for (int lane = 0; lane < LANES<C>; ++lane) total += lanes[lane];
  return total;
}

template <class C>
void sum_axis(C* to, const C* from, Runs runs, long count) {
  if (runs.run == 1)
    return runs.each_group(count, [&](long k, long some, long group, bool begins) {
      to[group] = sum(from + k, some) + (begins ? 0 : to[group]);
    });
  runs.each(count, [&](long k, long some, long first, long times, bool begins) {
    for (long j = 0; j < some; j += LANES<C>) {
      const int lanes = int(std::min<long>(LANES<C>, some - j));
      Vector<C> total = begins ? Vector<C>{} : load<C>(to + first + j, lanes);
      for (long which = 0; which < times; ++which) total += load<C>(from + k + which * runs.run + j, lanes);
      store<C>(to + first + j, total, lanes);
    }
  });
}

}  // namespace
