#include "threads.h"

#include <thread>
#include <vector>

#if defined(__linux__)
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>

#include <cstring>
#endif

namespace unrolled {
namespace {

struct Job {
  void (*work)(void*, int, int);
  void* context;
};

// Torch's operators run on a team of GNU OpenMP, whose threads spin for a while after each operator. A second team would
// have to share the cores with them; so this one is used, if torch has brought it. Nothing is linked, nothing is loaded.
struct Team {
  void (*parallel)(void (*)(void*), void*, unsigned, unsigned) = nullptr;
  int (*number)() = nullptr;
  int (*count)() = nullptr;
};

#if defined(__linux__)
int look(dl_phdr_info* info, std::size_t, void* found) {
  if (!std::strstr(info->dlpi_name, "libgomp")) return 0;
  void* library = dlopen(info->dlpi_name, RTLD_LAZY | RTLD_NOLOAD);
  if (!library) return 0;
  Team& team = *static_cast<Team*>(found);
  team.parallel = reinterpret_cast<decltype(team.parallel)>(dlsym(library, "GOMP_parallel"));
  team.number = reinterpret_cast<decltype(team.number)>(dlsym(library, "omp_get_thread_num"));
  team.count = reinterpret_cast<decltype(team.count)>(dlsym(library, "omp_get_num_threads"));
  dlclose(library);  // torch holds it
  return team.parallel && team.number && team.count;
}
#endif

// A child process has none of its parent's threads, and GNU OpenMP would wait for them for ever.
bool forked = false;

const Team& team() {
  static const Team found = [] {
    Team one;
#if defined(__linux__)
    if (!dl_iterate_phdr(look, &one)) one = Team{};
    pthread_atfork(nullptr, nullptr, [] { forked = true; });
#endif
    return one;
  }();
  return found;
}

void member_of_team(void* data) {
  const Job& job = *static_cast<const Job*>(data);
  job.work(job.context, team().number(), team().count());
}

}  // namespace

void together(int threads, void (*work)(void*, int, int), void* context) {
  if (threads <= 1) return work(context, 0, 1);
  if (team().parallel && !forked) {
    Job job{work, context};
    team().parallel(member_of_team, &job, unsigned(threads), 0);
    return;
  }
  std::vector<std::thread> others;
  for (int member = 1; member < threads; ++member) others.emplace_back(work, context, member, threads);
  work(context, 0, threads);
  for (std::thread& other : others) other.join();
}

}  // namespace unrolled
