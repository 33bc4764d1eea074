// The one file that knows Python: numbers and addresses in, nothing out. Shapes and types were checked by whoever
// calls; what the lengths hold is checked here, since it is quick here.
#include <nanobind/nanobind.h>

#include <cstdint>
#include <stdexcept>
#include <string>

#include "recurrence.h"

namespace nb = nanobind;
using namespace unrolled;

namespace {

// Where each of `count` arrays begins that stand one after the other, `bytes` long each.
template <class Pointer>
void fill(Pointer* into, int count, std::uintptr_t from, long bytes) {
  for (int k = 0; k < count; ++k) into[k] = reinterpret_cast<Pointer>(from + k * bytes);
}

Recurrence describe(int cell, int number, long T, long B, long H, bool reverse, int threads, std::uintptr_t lengths,
                    std::uintptr_t u, std::uintptr_t W, std::uintptr_t extra, std::uintptr_t start,
                    std::uintptr_t output, std::uintptr_t saved, std::uintptr_t every) {
  if (cell < 0 || cell >= kernels().count || number < 0 || number >= int(Number::count))
    throw std::invalid_argument("no such cell or type of number");
  Recurrence p{};
  p.T = T, p.B = B, p.H = H;
  p.reverse = reverse;
  p.threads = threads;
  p.lengths = reinterpret_cast<const std::int64_t*>(lengths);
  p.u = reinterpret_cast<const void*>(u);
  p.W = reinterpret_cast<const void*>(W);
  p.output = reinterpret_cast<void*>(output);
  p.saved = reinterpret_cast<void*>(saved);
  const CellKernels& known = kernels().cells[cell];
  const long size = computed_bytes(number);
  fill(p.extra, known.extra, extra, H * size);
  fill(p.start, known.states, start, B * H * size);
  if (every) fill(p.every + 1, known.states - 1, every, T * B * H * size);
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
                      std::uintptr_t u, std::uintptr_t W, std::uintptr_t extra, std::uintptr_t start,
                      std::uintptr_t output, std::uintptr_t saved, std::uintptr_t every, std::uintptr_t last) {
    Recurrence p = describe(cell, number, T, B, H, reverse, threads, lengths, u, W, extra, start, output, saved, every);
    fill(p.last, kernels().cells[cell].states, last, B * H * computed_bytes(number));
    const nb::gil_scoped_release release;
    kernels().cells[cell].forward[number](p);
  });

  m.def("backward", [](int cell, int number, long T, long B, long H, bool reverse, int threads, std::uintptr_t lengths,
                       std::uintptr_t u, std::uintptr_t W, std::uintptr_t extra, std::uintptr_t start,
                       std::uintptr_t output, std::uintptr_t saved, std::uintptr_t every, std::uintptr_t d_output,
                       std::uintptr_t d_last, std::uintptr_t d_u, std::uintptr_t d_r, std::uintptr_t d_extra,
                       std::uintptr_t d_start) {
    Recurrence p = describe(cell, number, T, B, H, reverse, threads, lengths, u, W, extra, start, output, saved, every);
    const CellKernels& known = kernels().cells[cell];
    const long size = computed_bytes(number);
    p.d_output = reinterpret_cast<const void*>(d_output);
    fill(p.d_last, known.states, d_last, B * H * size);
    p.d_u = reinterpret_cast<void*>(d_u);
    p.d_r = reinterpret_cast<void*>(d_r);
    fill(p.d_extra, known.extra, d_extra, H * size);
    fill(p.d_start, known.states, d_start, B * H * size);
    const nb::gil_scoped_release release;
    known.backward[number](p);
  });
}
