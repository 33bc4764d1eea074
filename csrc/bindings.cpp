// The one file that knows Python: numbers and addresses in, nothing out. Shapes and types were checked by whoever
// calls; what the lengths hold is checked here, since it is quick here.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "recurrence.h"

namespace nb = nanobind;
using namespace unrolled;

namespace {

typedef std::vector<std::uintptr_t> Addresses;

template <class Pointer, std::size_t N>
void fill(Pointer (&into)[N], const Addresses& from) {
  if (from.size() > N) throw std::invalid_argument("more addresses than a recurrence takes");
  for (std::size_t k = 0; k < from.size(); ++k) into[k] = reinterpret_cast<Pointer>(from[k]);
}

Recurrence describe(int cell, int number, long T, long B, long H, bool reverse, int threads, std::uintptr_t lengths,
                    std::uintptr_t u, std::uintptr_t W, const Addresses& extra, const Addresses& start,
                    std::uintptr_t output, std::uintptr_t saved, const Addresses& every) {
  if (cell < 0 || cell >= kernels().count || number < 0 || number >= int(Number::count))
    throw std::invalid_argument("no such cell or type of number");
  Recurrence p{};
  p.T = T, p.B = B, p.H = H;
  p.reverse = reverse;
  p.threads = threads;
  p.lengths = reinterpret_cast<const std::int64_t*>(lengths);
  p.u = reinterpret_cast<const void*>(u);
  p.W = reinterpret_cast<const void*>(W);
  fill(p.extra, extra);
  fill(p.start, start);
  p.output = reinterpret_cast<void*>(output);
  p.saved = reinterpret_cast<void*>(saved);
  fill(p.every, every);
  if (p.lengths)
    for (long b = 0; b < B; ++b)
      if (p.lengths[b] < 0 || p.lengths[b] > T)
        throw std::invalid_argument("lengths must be from 0 to T = " + std::to_string(T) + "; " +
                                    std::to_string(p.lengths[b]) + " came");
  return p;
}

}  // namespace

NB_MODULE(_native, m) {
  m.def("instruction_set", [] { return kernels().name; });

  // Name → what its struct says: number, gates, states, saved, extra, same_gradient.
  m.def("cells", [] {
    nb::dict found;
    for (int cell = 0; cell < kernels().count; ++cell) {
      const CellKernels& one = kernels().cells[cell];
      found[one.name] = nb::make_tuple(cell, one.gates, one.states, one.saved, one.extra, one.same_gradient);
    }
    return found;
  });

  m.def("forward", [](int cell, int number, long T, long B, long H, bool reverse, int threads, std::uintptr_t lengths,
                      std::uintptr_t u, std::uintptr_t W, const Addresses& extra, const Addresses& start,
                      std::uintptr_t output, std::uintptr_t saved, const Addresses& every, const Addresses& last) {
    Recurrence p = describe(cell, number, T, B, H, reverse, threads, lengths, u, W, extra, start, output, saved, every);
    fill(p.last, last);
    const nb::gil_scoped_release release;
    kernels().cells[cell].forward[number](p);
  });

  m.def("backward", [](int cell, int number, long T, long B, long H, bool reverse, int threads, std::uintptr_t lengths,
                       std::uintptr_t u, std::uintptr_t W, const Addresses& extra, const Addresses& start,
                       std::uintptr_t output, std::uintptr_t saved, const Addresses& every, std::uintptr_t d_output,
                       const Addresses& d_last, std::uintptr_t d_u, std::uintptr_t d_r, const Addresses& d_extra,
                       const Addresses& d_start) {
    Recurrence p = describe(cell, number, T, B, H, reverse, threads, lengths, u, W, extra, start, output, saved, every);
    p.d_output = reinterpret_cast<const void*>(d_output);
    fill(p.d_last, d_last);
    p.d_u = reinterpret_cast<void*>(d_u);
    p.d_r = reinterpret_cast<void*>(d_r);
    fill(p.d_extra, d_extra);
    fill(p.d_start, d_start);
    const nb::gil_scoped_release release;
    kernels().cells[cell].backward[number](p);
  });
}
