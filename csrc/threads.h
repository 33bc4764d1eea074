// Threads: the same team that torch's own operators run on, where it can be found.
#pragma once

#include <atomic>
#include <thread>

namespace unrolled {

// Calls work(context, member, members) once on each of `members` ≤ threads threads at the same time, and returns when all have.
void together(int threads, void (*work)(void* context, int member, int members), void* context);

// Holds every member of a team until the last has come. Waits are a few microseconds, so it spins; where they are longer,
// another program has the core, and perhaps the one that is waited for waits for this one's.
class Barrier {
 public:
  void wait(int members) {
    if (members == 1) return;
    const int round = round_.load(std::memory_order_relaxed);
    if (waiting_.fetch_add(1, std::memory_order_acq_rel) + 1 == members) {
      waiting_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      return;
    }
    for (int spins = 0; round_.load(std::memory_order_acquire) == round; ++spins) {
      if (spins < 4096) pause();
      else std::this_thread::yield();
    }
  }

 private:
  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  std::atomic<int> waiting_{0};
  std::atomic<int> round_{0};
};

}  // namespace unrolled
