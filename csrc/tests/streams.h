// Streaming and scans without Python: random shapes and strides, each array exactly as long as it must be; one thread
// against several, steps at once against steps one by one. Each trial says what was wrong, or nothing.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "../recurrence.h"
#include "../scan.h"
#include "../stream.h"

namespace trials {

using namespace unrolled;

// Arrays on the heap, of exactly so many bytes each: what is read or written past one is seen.
class Heap {
 public:
  template <class T>
  T* room(long count) {
    arrays_.emplace_back(new unsigned char[count * sizeof(T)]);
    std::memset(arrays_.back().get(), 0xff, count * sizeof(T));
    return reinterpret_cast<T*>(arrays_.back().get());
  }

  // Now and then numbers that saturate every gate, or denormal ones.
  template <class T>
  T* random(long count, std::mt19937& draw) {
    T* data = room<T>(count);
    const int kind = int(draw() % 8);
    std::normal_distribution<double> normal(0, kind == 0 ? 100 : kind == 1 ? 1e-42 : 1);
    for (long k = 0; k < count; ++k) data[k] = T(normal(draw));
    return data;
  }

 private:
  std::vector<std::unique_ptr<unsigned char[]>> arrays_;
};

inline std::string same(const void* one, const void* other, long bytes, const std::string& what) {
  return std::memcmp(one, other, bytes) == 0 ? "" : what;
}

inline std::string stream(std::mt19937& draw) {
  Heap heap;
  const StreamKernels& known = kernels().streams[draw() % kernels().stream_count];
  const int precision = int(draw() % int(Precision::count));
  // Now and then so large that several threads take part.
  const bool large = draw() % 100 == 0;
  const long T = 1 + draw() % 5, B = draw() % 20, F = draw() % 4 ? 1 + draw() % 50 : 0, V = 1 + draw() % 9;
  const long H = large ? 600 + draw() % 100 : 1 + draw() % 70, gates = known.gates * H;
  StreamWeights weights{F, H, F ? heap.random<float>(gates * F, draw) : nullptr, heap.random<float>(gates * H, draw),
                        F ? heap.random<float>(gates, draw) : nullptr, {}};
  for (int e = 0; e < known.extra; ++e) weights.extra[e] = heap.random<float>(H, draw);
  const long bytes = known.packed_bytes[precision](F, H);
  // A line more than is needed, for the start must be a multiple of it; the end is the array's.
  unsigned char* room = heap.room<unsigned char>(bytes + 64);
  unsigned char* packed = room + (64 - reinterpret_cast<std::uintptr_t>(room) % 64) % 64;
  known.pack[precision](weights, packed);
  Stream p{};
  p.T = T, p.B = B, p.F = F, p.H = H;
  p.packed = packed;
  if (F) {
    p.x = heap.random<float>(T * B * F, draw);
  } else {
    p.table = heap.random<float>(V * gates, draw);
    std::int64_t* symbols = heap.room<std::int64_t>(T * B);
    for (long k = 0; k < T * B; ++k) symbols[k] = std::int64_t(draw() % V);
    p.symbols = symbols;
  }
  const auto run = [&](Stream one, int threads) {
    one.threads = threads;
    known.run[precision](one);
  };
  for (int s = 0; s < known.states; ++s) p.start[s] = heap.random<float>(B * H, draw);
  Stream alone = p, together = p;
  for (Stream* one : {&alone, &together}) {
    one->output = heap.room<float>(T * B * H);
    for (int s = 0; s < known.states; ++s) one->last[s] = heap.room<float>(B * H);
  }
  run(alone, 1);
  run(together, 2 + int(draw() % 2));
  std::string wrong = same(alone.output, together.output, T * B * H * 4, "several threads stream something else");
  // Step by step, each from where the last one ended.
  Stream single = p;
  single.T = 1;
  for (int s = 0; s < known.states; ++s) single.last[s] = heap.room<float>(B * H);
  for (long t = 0; t < T && wrong.empty(); ++t) {
    if (F) single.x = p.x + t * B * F;
    else single.symbols = p.symbols + t * B;
    float* output = single.output = heap.room<float>(B * H);
    run(single, 1);
    wrong = same(output, alone.output + t * B * H, B * H * 4, "single steps stream something else");
    for (int s = 0; s < known.states; ++s) {
      float* before = heap.room<float>(B * H);
      std::memcpy(before, single.last[s], B * H * 4);
      single.start[s] = before;
    }
  }
  for (int s = 0; s < known.states && wrong.empty(); ++s)
    wrong = same(single.last[s], alone.last[s], B * H * 4, "single steps end in another state");
  return wrong.empty() ? "" : std::string(known.name) + ": " + wrong;
}

template <class C>
std::string scan_of(int number, std::mt19937& draw) {
  Heap heap;
  const bool large = draw() % 50 == 0;
  const bool huge = draw() % 2000 == 0;  // written past the caches
  const int parts = number >= int(ScanNumber::complex64) ? 2 : 1;
  Scan p{};
  p.T = large ? 90 : 1 + draw() % 12, p.rows = draw() % 5, p.columns = large ? 400 + draw() % 400 : 1 + draw() % 70;
  if (huge) p.T = 700, p.rows = 4, p.columns = 800;
  p.reverse = draw() % 2;
  // The same at all times, or in all rows, or with a gap from one time to the next.
  p.a_row = draw() % 2 ? p.columns : 0;
  const long once = p.a_row ? p.rows * p.columns : p.columns;
  p.a_time = draw() % 3 ? once + long(draw() % 3) : 0;
  const long step = p.rows * p.columns, C_step = step * parts, all = p.T * C_step;
  p.a = heap.random<C>(((p.T - 1) * p.a_time + once) * parts, draw);
  p.b = heap.random<C>(all, draw);
  p.start = heap.random<C>(C_step, draw);
  p.d_h = heap.random<C>(all, draw);
  if (draw() % 2) p.d_last = heap.random<C>(C_step, draw);
  const bool of_a = draw() % 4;
  const auto run = [&](Scan one, int threads) {
    one.threads = threads;
    C* h = heap.room<C>(all);
    one.h = h, one.d_a = of_a ? heap.room<C>(all) : nullptr, one.d_b = heap.room<C>(all), one.d_start = heap.room<C>(C_step);
    kernels().scan->forward[number](one);
    kernels().scan->backward[number](one);
    return one;
  };
  const Scan alone = run(p, 1), others = run(p, 2 + int(draw() % 2));
  std::string wrong = same(alone.h, others.h, all * sizeof(C), "several threads scan to other states");
  if (wrong.empty()) wrong = same(alone.d_b, others.d_b, all * sizeof(C), "several threads scan to other gradients");
  if (wrong.empty() && of_a) wrong = same(alone.d_a, others.d_a, all * sizeof(C), "several threads scan to other gradients of a");
  if (wrong.empty()) wrong = same(alone.d_start, others.d_start, C_step * sizeof(C), "several threads scan to another start");
  return wrong;
}

inline std::string scan(std::mt19937& draw) {
  const int number = int(draw() % int(ScanNumber::count));
  return number % 2 ? scan_of<double>(number, draw) : scan_of<float>(number, draw);
}

}  // namespace trials
