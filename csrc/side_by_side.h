// Recurrences that do not wait for each other: the two directions of a layer.
#pragma once

#include <vector>

#include "recurrence.h"
#include "threads.h"

namespace unrolled {

// One recurrence, and the kernel that it is for.
struct Job {
  Recurrence recurrence;
  Run run;
};

inline void take_some(void* context, int member, int members) {
  std::vector<Job>& jobs = *static_cast<std::vector<Job>*>(context);
  for (std::size_t k = member; k < jobs.size(); k += members) jobs[k].run(jobs[k].recurrence);
}

// On at most so many threads: each on one of its own where that leaves none idle, so that its weights stay in the caches of
// one core and nobody waits at every step; one after the other on all of them otherwise.
inline void side_by_side(std::vector<Job>& jobs, int threads) {
  const bool apart = threads > 1 && std::size_t(threads) <= jobs.size();
  for (Job& one : jobs) one.recurrence.threads = apart ? 1 : threads;
  if (apart) together(threads, take_some, &jobs);
  else take_some(&jobs, 0, 1);
}

}  // namespace unrolled
