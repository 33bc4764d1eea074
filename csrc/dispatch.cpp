#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "recurrence.h"

namespace unrolled {
namespace {

const Kernels& choose() {
  const char* wanted = std::getenv("UNROLLED_ISA");
#if defined(UNROLLED_X86)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  const bool bf16 = avx512 && __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni");
  struct Offer {
    bool here;
    const Kernels& (*kernels)();
  };
  const Offer offers[] = {{bf16, avx512_bf16_kernels}, {avx512, avx512_kernels}, {avx2, avx2_kernels}, {true, baseline_kernels}};
#else
  struct Offer {
    bool here;
    const Kernels& (*kernels)();
  };
  const Offer offers[] = {{true, baseline_kernels}};
#endif
  for (const Offer& offer : offers)
    if (offer.here && (!wanted || !*wanted || std::strcmp(wanted, offer.kernels().name) == 0)) return offer.kernels();
  std::string here;
  for (const Offer& offer : offers)
    if (offer.here) here += std::string(here.empty() ? "" : ", ") + offer.kernels().name;
  throw std::runtime_error("the environment variable UNROLLED_ISA is '" + std::string(wanted) + "'; this machine has: " + here);
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

}  // namespace unrolled
