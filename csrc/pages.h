// Large pages for large arrays: a new array costs a fault for each page that is first touched, and what is read from
// one end to the other a look-up for each.
#pragma once

#include <cstdint>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace unrolled {

// Asks for them; a machine that has none, or does not want to, goes on with small ones.
inline void large_pages(void* data, long bytes) {
#if defined(MADV_HUGEPAGE)
  constexpr std::uintptr_t PAGE = std::uintptr_t(1) << 21;
  const std::uintptr_t first = (reinterpret_cast<std::uintptr_t>(data) + PAGE - 1) & ~(PAGE - 1);
  const std::uintptr_t end = (reinterpret_cast<std::uintptr_t>(data) + std::uintptr_t(bytes)) & ~(PAGE - 1);
  if (data && end > first) madvise(reinterpret_cast<void*>(first), end - first, MADV_HUGEPAGE);
#else
  (void)data, (void)bytes;
#endif
}

}  // namespace unrolled
