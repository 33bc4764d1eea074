// The one place that knows Python, with program_binding.h: numbers and addresses in, nothing out. Shapes and types were
// checked by whoever calls; what the lengths hold is checked here, since it is quick here.
#include <cstdint>
#include <stdexcept>
#include <string>

#include "pages.h"
#include "program_binding.h"
#include "recurrence.h"
#include "scan.h"
#include "side_by_side.h"
#include "stream.h"

namespace {

// Where each of `count` arrays begins that stand one after the other, `bytes` long each.
template <class Pointer>
void fill(Pointer* into, int count, std::uintptr_t from, long bytes) {
  for (int k = 0; k < count; ++k) into[k] = reinterpret_cast<Pointer>(from + k * bytes);
}

void check_lengths(const std::int64_t* lengths, long T, long B) {
  if (lengths)
    for (long b = 0; b < B; ++b)
      if (lengths[b] < 0 || lengths[b] > T)
        throw std::invalid_argument("lengths must be from 0 to T = " + std::to_string(T) + "; " + std::to_string(lengths[b]) +
                                    " came");
}

// What all recurrences of one call have in common.
struct Sizes {
  int cell, number;
  long T, B, H;
  const std::int64_t* lengths;

  Sizes(int cell, int number, long T, long B, long H, std::uintptr_t lengths_)
      : cell(cell), number(number), T(T), B(B), H(H), lengths(reinterpret_cast<const std::int64_t*>(lengths_)) {
    if (cell < 0 || cell >= kernels().count || number < 0 || number >= int(Number::count))
      throw std::invalid_argument("no such cell or type of number");
    check_lengths(lengths, T, B);
  }

  const CellKernels& known() const { return kernels().cells[cell]; }
};

// One of them, as far as both passes read it: whether it runs backwards, then the addresses of u, W, extra, mask, start, output,
// saved and every.
constexpr int READ = 9;

Recurrence describe(const Sizes& sizes, const std::int64_t* told) {
  Recurrence p{};
  p.T = sizes.T, p.B = sizes.B, p.H = sizes.H;
  p.reverse = told[0] != 0;
  p.lengths = sizes.lengths;
  p.u = reinterpret_cast<const void*>(told[1]);
  p.W = reinterpret_cast<const void*>(told[2]);
  p.mask = reinterpret_cast<const void*>(told[4]);
  p.output = reinterpret_cast<void*>(told[6]);
  p.saved = reinterpret_cast<void*>(told[7]);
  const long size = computed_bytes(sizes.number);
  fill(p.extra, sizes.known().extra, std::uintptr_t(told[3]), p.H * size);
  fill(p.start, sizes.known().states, std::uintptr_t(told[5]), p.B * p.H * size);
  if (told[8]) fill(p.every + 1, sizes.known().states - 1, std::uintptr_t(told[8]), p.T * p.B * p.H * size);
  return p;
}

const StreamKernels& stream_of(int cell, int precision, long F, long H) {
  if (cell < 0 || cell >= kernels().stream_count || precision < 0 || precision >= int(Precision::count) || F < 0 || H < 1)
    throw std::invalid_argument("no such streaming cell, type of weights or size");
  return kernels().streams[cell];
}

Scan describe_scan(int number, long T, long rows, long columns, bool reverse, int threads, std::uintptr_t a, long a_time,
                   long a_row, std::uintptr_t start, std::uintptr_t h) {
  if (number < 0 || number >= int(ScanNumber::count)) throw std::invalid_argument("no such type of number");
  Scan p{};
  p.T = T, p.rows = rows, p.columns = columns;
  p.reverse = reverse;
  p.threads = threads;
  p.a = reinterpret_cast<const void*>(a);
  p.a_time = a_time, p.a_row = a_row;
  p.start = reinterpret_cast<const void*>(start);
  p.h = reinterpret_cast<void*>(h);
  return p;
}

}  // namespace

NB_MODULE(_native, m) {
  m.def("instruction_set", [] { return kernels().name; });

  // Name → what its struct says: number, gates, states, saved, extra, product, same_gradient.
  m.def("cells", [] {
    nb::dict found;
    for (int cell = 0; cell < kernels().count; ++cell) {
      const CellKernels& one = kernels().cells[cell];
      found[one.name] = nb::make_tuple(cell, one.gates, one.states, one.saved, one.extra, one.product, one.same_gradient);
    }
    return found;
  });

  // Of each recurrence: what `describe` takes, then the address of last.
  m.def("forward", [](int cell, int number, long T, long B, long H, int threads, std::uintptr_t lengths, const Numbers& told) {
    const Sizes sizes(cell, number, T, B, H, lengths);
    const CellKernels& known = sizes.known();
    std::vector<Job> jobs;
    for (std::size_t k = 0; k + READ + 1 <= told.size(); k += READ + 1) {
      Recurrence p = describe(sizes, told.data() + k);
      fill(p.last, known.states, std::uintptr_t(told[k + READ]), B * H * computed_bytes(number));
      large_pages(p.output, T * B * H * stored_bytes(number));
      large_pages(p.saved, T * B * H * known.saved * stored_bytes(number));
      large_pages(p.every[1], T * B * H * (known.states - 1) * computed_bytes(number));
      jobs.push_back({p, known.forward[number]});
    }
    const nb::gil_scoped_release release;
    side_by_side(jobs, threads);
  });

  // Likewise, then the addresses of d_output, d_last, d_u, d_r, d_extra and d_start.
  m.def("backward", [](int cell, int number, long T, long B, long H, int threads, std::uintptr_t lengths, const Numbers& told) {
    const Sizes sizes(cell, number, T, B, H, lengths);
    const CellKernels& known = sizes.known();
    const long size = computed_bytes(number);
    std::vector<Job> jobs;
    for (std::size_t k = 0; k + READ + 6 <= told.size(); k += READ + 6) {
      Recurrence p = describe(sizes, told.data() + k);
      const std::int64_t* gradients = told.data() + k + READ;
      p.d_output = reinterpret_cast<const void*>(gradients[0]);
      fill(p.d_last, known.states, std::uintptr_t(gradients[1]), B * H * size);
      p.d_u = reinterpret_cast<void*>(gradients[2]);
      p.d_r = reinterpret_cast<void*>(gradients[3]);
      fill(p.d_extra, known.extra, std::uintptr_t(gradients[4]), H * size);
      fill(p.d_start, known.states, std::uintptr_t(gradients[5]), B * H * size);
      large_pages(p.d_u, T * B * H * known.gates * stored_bytes(number));
      if (!known.same_gradient) large_pages(p.d_r, T * B * H * known.gates * stored_bytes(number));
      jobs.push_back({p, known.backward[number]});
    }
    const nb::gil_scoped_release release;
    side_by_side(jobs, threads);
  });

  // Name → number, gates, states, extra.
  m.def("streams", [] {
    nb::dict found;
    for (int cell = 0; cell < kernels().stream_count; ++cell) {
      const StreamKernels& one = kernels().streams[cell];
      found[one.name] = nb::make_tuple(cell, one.gates, one.states, one.extra);
    }
    return found;
  });

  m.def("packed_bytes", [](int cell, int precision, long F, long H) {
    return stream_of(cell, precision, F, H).packed_bytes[precision](F, H);
  });

  m.def("pack", [](int cell, int precision, long F, long H, std::uintptr_t U, std::uintptr_t W, std::uintptr_t b,
                   std::uintptr_t extra, std::uintptr_t packed) {
    const StreamKernels& known = stream_of(cell, precision, F, H);
    StreamWeights p{F, H, reinterpret_cast<const float*>(U), reinterpret_cast<const float*>(W),
                    reinterpret_cast<const float*>(b), {}};
    fill(p.extra, known.extra, extra, H * 4);
    const nb::gil_scoped_release release;
    large_pages(reinterpret_cast<void*>(packed), known.packed_bytes[precision](F, H));
    known.pack[precision](p, reinterpret_cast<void*>(packed));
  });

  // The leaves of the state apart, the second 0 where there is one; symbols, table, V: in place of x.
  m.def("stream", [](int cell, int precision, long T, long B, long F, long H, int threads, std::uintptr_t packed,
                     std::uintptr_t x, std::uintptr_t symbols, std::uintptr_t table, long V, std::uintptr_t start_0,
                     std::uintptr_t start_1, std::uintptr_t output, std::uintptr_t last_0, std::uintptr_t last_1) {
    const StreamKernels& known = stream_of(cell, precision, F, H);
    Stream p{};
    p.T = T, p.B = B, p.F = F, p.H = H;
    p.threads = threads;
    p.packed = reinterpret_cast<const void*>(packed);
    p.x = reinterpret_cast<const float*>(x);
    p.symbols = reinterpret_cast<const std::int64_t*>(symbols);
    p.table = reinterpret_cast<const float*>(table);
    p.start[0] = reinterpret_cast<const float*>(start_0);
    p.start[1] = reinterpret_cast<const float*>(start_1);
    p.output = reinterpret_cast<float*>(output);
    p.last[0] = reinterpret_cast<float*>(last_0);
    p.last[1] = reinterpret_cast<float*>(last_1);
    if (p.symbols)
      for (long k = 0; k < T * B; ++k)
        if (p.symbols[k] < 0 || p.symbols[k] >= V)
          throw std::invalid_argument("symbols must be from 0 to " + std::to_string(V - 1) + "; " +
                                      std::to_string(p.symbols[k]) + " came");
    const nb::gil_scoped_release release;
    known.run[precision](p);
  });

  m.def("scan", [](int number, long T, long rows, long columns, bool reverse, int threads, std::uintptr_t a, long a_time,
                   long a_row, std::uintptr_t start, std::uintptr_t h, std::uintptr_t b) {
    Scan p = describe_scan(number, T, rows, columns, reverse, threads, a, a_time, a_row, start, h);
    p.b = reinterpret_cast<const void*>(b);
    const nb::gil_scoped_release release;
    large_pages(p.h, T * rows * columns * scan_bytes(number));
    kernels().scan->forward[number](p);
  });

  m.def("scan_backward", [](int number, long T, long rows, long columns, bool reverse, int threads, std::uintptr_t a,
                            long a_time, long a_row, std::uintptr_t start, std::uintptr_t h, std::uintptr_t d_h,
                            std::uintptr_t d_last, std::uintptr_t d_a, std::uintptr_t d_b, std::uintptr_t d_start) {
    Scan p = describe_scan(number, T, rows, columns, reverse, threads, a, a_time, a_row, start, h);
    p.d_h = reinterpret_cast<const void*>(d_h);
    p.d_last = reinterpret_cast<const void*>(d_last);
    p.d_a = reinterpret_cast<void*>(d_a);
    p.d_b = reinterpret_cast<void*>(d_b);
    p.d_start = reinterpret_cast<void*>(d_start);
    const nb::gil_scoped_release release;
    for (void* written : {p.d_a, p.d_b}) large_pages(written, T * rows * columns * scan_bytes(number));
    kernels().scan->backward[number](p);
  });

  m.def("run_program", [](int number, long T, long B, bool reverse, int threads, std::uintptr_t lengths, const nb::bytes& code,
                          long registers, const Numbers& arrays, const Numbers& states, const Numbers& weights,
                          const Numbers& totals) {
    const Told told(number, code, registers, arrays, states, weights, totals);
    const Program p = told.program(T, B, reverse, threads, reinterpret_cast<const std::int64_t*>(lengths));
    for (const ProgramArray& one : told.arrays)
      if (one.written) large_pages(one.data, T * one.time * stored_bytes(number));
    check_lengths(p.lengths, T, B);
    const nb::gil_scoped_release release;
    kernels().programs->run[number](p);
  });

  nb::class_<Packed>(m, "PackedProgram")
      .def(nb::init<int, const nb::bytes&, long, const Numbers&, const Numbers&, const Numbers&, const Numbers&>())
      .def("run", &Packed::run);

  // Flops of so many rounds of multiplications in registers alone.
  m.def("peak", [](int number, long rounds, int threads) {
    if (number < 0 || number >= int(Number::count) || rounds < 1 || threads < 1)
      throw std::invalid_argument("no such type of number, or no rounds or threads");
    const nb::gil_scoped_release release;
    return kernels().peak[number](rounds, threads);
  });

  m.def("product", [](int number, long M, long N, long K, std::uintptr_t A, long A_stride, bool A_transposed,
                      std::uintptr_t B, long B_stride, bool B_transposed, std::uintptr_t bias, std::uintptr_t to,
                      int threads) {
    if (number < 0 || number > int(Number::float64)) throw std::invalid_argument("products are of float32 or float64");
    const Product p{M, N, K, reinterpret_cast<const void*>(A), A_stride, A_transposed, reinterpret_cast<const void*>(B),
                    B_stride, B_transposed, reinterpret_cast<const void*>(bias), reinterpret_cast<void*>(to), threads};
    large_pages(p.to, M * N * stored_bytes(number));
    const nb::gil_scoped_release release;
    kernels().product[number](p);
  });
}
