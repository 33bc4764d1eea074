// The native core without Python, for the sanitizers: random shapes, each array exactly as long as it must be, every
// cell and type of number, one thread against several, two side by side, and several callers at the same time; streaming,
// scans and programs too.
//
//   driver SECONDS [SEED [PROBLEMS]]      0, and the number of problems tried, where nothing was wrong: for at least so long,
//                                         and at least so many
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "../recurrence.h"
#include "../side_by_side.h"
#include "gradients.h"
#include "programs.h"
#include "streams.h"

using namespace unrolled;

namespace {

// An array on the heap, of exactly so many bytes: what is read or written past it is seen.
struct Array {
  std::unique_ptr<unsigned char[]> data;
  long bytes;
  explicit Array(long count) : data(new unsigned char[count]), bytes(count) { std::memset(data.get(), 0xff, count); }
};

struct Problem {
  int cell, number;
  Recurrence p{};
  std::vector<Array> arrays;
  std::vector<std::size_t> results;  // which of them the core fills

  void* room(long count, bool result) {
    arrays.emplace_back(count);
    if (result) results.push_back(arrays.size() - 1);
    return arrays.back().data.get();
  }

  void* random(long count, bool computed, std::mt19937& draw) {
    const long size = computed ? computed_bytes(number) : stored_bytes(number);
    unsigned char* data = static_cast<unsigned char*>(room(count * size, false));
    // Now and then a number that saturates every gate, or a denormal one.
    const int kind = int(draw() % 8);
    std::normal_distribution<double> normal(0, kind == 0 ? 100 : kind == 1 ? 1e-42 : 1);
    for (long k = 0; k < count; ++k) {
      const double value = normal(draw);
      const float narrow = float(value);
      if (size == 8) std::memcpy(data + k * 8, &value, 8);
      if (size == 4) std::memcpy(data + k * 4, &narrow, 4);
      if (size == 2) std::memcpy(data + k * 2, reinterpret_cast<const unsigned char*>(&narrow) + 2, 2);
    }
    return data;
  }

  explicit Problem(std::mt19937& draw) {
    arrays.reserve(64);
    cell = int(draw() % kernels().count);
    number = int(draw() % int(Number::count));
    const CellKernels& known = kernels().cells[cell];
    const long T = p.T = 1 + draw() % 6, B = p.B = draw() % 20, H = p.H = 1 + draw() % (draw() % 4 ? 40 : 150);
    const long units = T * B * H, C = computed_bytes(number), S = stored_bytes(number);
    p.reverse = draw() % 2;
    if (draw() % 2) {
      std::int64_t* lengths = static_cast<std::int64_t*>(room(B * 8, false));
      for (long b = 0; b < B; ++b) lengths[b] = draw() % (T + 1);
      p.lengths = lengths;
    }
    p.u = random(units * known.gates, false, draw);
    p.W = random(known.product ? known.gates * H * H : 0, true, draw);
    for (int e = 0; e < known.extra; ++e) p.extra[e] = random(H, true, draw);
    if (known.product && draw() % 2) p.mask = random(B * H, true, draw);
    p.output = room(units * S, true);
    p.saved = room(units * known.saved * S, true);
    for (int s = 0; s < known.states; ++s) {
      p.start[s] = random(B * H, true, draw);
      p.last[s] = room(B * H * C, true);
      if (s) p.every[s] = room(units * C, true);
      p.d_last[s] = random(B * H, true, draw);
      p.d_start[s] = room(B * H * C, true);
    }
    p.d_output = random(units, false, draw);
    p.d_u = room(units * known.gates * S, true);
    p.d_r = known.same_gradient ? nullptr : room(units * known.gates * S, true);
    for (int e = 0; e < known.extra; ++e) p.d_extra[e] = room(H * C, true);
  }

  void clear() {
    for (std::size_t k : results) std::memset(arrays[k].data.get(), 0xff, arrays[k].bytes);
  }

  // What the core gives with so many threads, byte for byte.
  std::vector<unsigned char> run(int threads) {
    clear();
    p.threads = threads;
    kernels().cells[cell].forward[number](p);
    kernels().cells[cell].backward[number](p);
    return found();
  }

  std::vector<unsigned char> found() const {
    std::vector<unsigned char> all;
    for (std::size_t k : results) all.insert(all.end(), arrays[k].data.get(), arrays[k].data.get() + arrays[k].bytes);
    return all;
  }

  // The gradients of the cell's own weights are sums over rows, whose order depends on the threads.
  bool same_for_any_threads() const { return kernels().cells[cell].extra == 0; }
};

// A random product of matrices against the sums written out; 0 where they agree.
template <class C>
double product_error(std::mt19937& draw) {
  const auto below = [&](long most) { return 1 + long(draw() % most); };
  const long M = below(draw() % 4 ? 30 : 200), N = below(draw() % 4 ? 40 : 200), K = below(draw() % 4 ? 40 : 600);
  const bool A_transposed = draw() % 2, B_transposed = draw() % 2, biased = draw() % 2;
  const long A_stride = (A_transposed ? M : K) + draw() % 3, B_stride = (B_transposed ? K : N) + draw() % 3;
  std::normal_distribution<double> normal;
  const auto filled = [&](long rows, long stride, long columns) {
    std::vector<C> some((rows - 1) * stride + columns);  // nothing behind the last row
    for (C& one : some) one = C(normal(draw));
    return some;
  };
  const std::vector<C> A = A_transposed ? filled(K, A_stride, M) : filled(M, A_stride, K);
  const std::vector<C> B = B_transposed ? filled(N, B_stride, K) : filled(K, B_stride, N), bias = filled(1, N, N);
  std::vector<C> to(M * N, C(7));
  kernels().product[sizeof(C) == 8](Product{M, N, K, A.data(), A_stride, A_transposed, B.data(), B_stride, B_transposed,
                                            biased ? bias.data() : nullptr, to.data(), int(below(3))});
  double apart = 0, size = 0;
  for (long m = 0; m < M; ++m)
    for (long n = 0; n < N; ++n) {
      double sum = biased ? bias[n] : 0;
      for (long k = 0; k < K; ++k)
        sum += double(A[A_transposed ? k * A_stride + m : m * A_stride + k]) *
               double(B[B_transposed ? n * B_stride + k : k * B_stride + n]);
      apart += (to[m * N + n] - sum) * (to[m * N + n] - sum), size += sum * sum;
    }
  return std::sqrt(apart / size) > (sizeof(C) == 8 ? 1e-13 : 1e-5) ? std::sqrt(apart / size) : 0;
}

// Whether both give, side by side, what each gives alone. With more threads than there are recurrences, their sums over
// rows may be in another order.
bool agree_side_by_side(Problem& one, Problem& other, int threads, const std::vector<unsigned char>& first,
                  const std::vector<unsigned char>& second) {
  one.clear(), other.clear();
  for (const bool forward : {true, false}) {
    std::vector<Job> jobs;
    for (Problem* problem : {&one, &other}) {
      const CellKernels& known = kernels().cells[problem->cell];
      jobs.push_back({problem->p, (forward ? known.forward : known.backward)[problem->number]});
    }
    side_by_side(jobs, threads);
  }
  return (one.found() == first || (threads > 2 && !one.same_for_any_threads())) &&
         (other.found() == second || (threads > 2 && !other.same_for_any_threads()));
}

}  // namespace

int main(int count, char** words) {
  const double seconds = count > 1 ? std::atof(words[1]) : 5;
  std::mt19937 draw(count > 2 ? unsigned(std::atoi(words[2])) : 1u);
  const auto began = std::chrono::steady_clock::now();
  const long fewest = count > 3 ? std::atol(words[3]) : 0;
  long problems = 0;
  while (problems < fewest ||
         std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count() < seconds) {
    Problem one(draw), other(draw);
    const std::vector<unsigned char> alone = one.run(1);
    if (alone != one.run(1)) return std::printf("cell %d: a second run gives something else\n", one.cell), 1;
    if (one.same_for_any_threads() && alone != one.run(1 + int(draw() % 3)))
      return std::printf("cell %d: several threads give something else\n", one.cell), 1;
    std::thread beside([&] { other.run(2); });
    one.run(2);
    beside.join();
    const std::vector<unsigned char> second = other.run(1);
    if (!agree_side_by_side(one, other, 1 + int(draw() % 3), alone, second))
      return std::printf("cells %d and %d: side by side they give something else\n", one.cell, other.cell), 1;
    if (!(kernels().peak[one.number](1 + long(draw() % 3), 1 + int(draw() % 2)) > 0)) return std::printf("no peak\n"), 1;
    problems += 2;
    for (int k = 0; k < 8; ++k)
      for (const std::string& wrong : {trials::stream(draw), trials::scan(draw), trials::program(draw), trials::gradients(draw)}) {
        if (!wrong.empty()) return std::printf("%s\n", wrong.c_str()), 1;
        ++problems;
      }
    if (const double apart = product_error<float>(draw) + product_error<double>(draw); apart > 0)
      return std::printf("a product is %g from the sums\n", apart), 1;
    problems += 2;
  }
  std::printf("%s: %ld problems\n", kernels().name, problems);
  return 0;
}
