// A program and the program of its gradients, without Python: h_t = tanh(u_t + b + W h_{t−1}) and what comes back through it,
// on random shapes, lengths, directions and numbers of threads, against the same sums written out in double precision.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "../program.h"
#include "streams.h"

namespace trials {

// ‖one − other‖ ≤ most · ‖other‖.
template <class C>
bool close(const C* one, const std::vector<double>& other, double most) {
  double apart = 0, size = 0;
  for (std::size_t k = 0; k < other.size(); ++k)
    apart += (one[k] - other[k]) * (one[k] - other[k]), size += other[k] * other[k];
  return std::sqrt(apart) <= most * std::sqrt(size);
}

template <class C>
std::string gradients_of(int number, std::mt19937& draw) {
  Heap heap;
  const long T = 1 + draw() % 5, B = draw() % 20, H = 1 + draw() % 60, units = T * B * H;
  const bool reverse = draw() % 2;
  const int threads = 1 + int(draw() % 3);
  std::normal_distribution<double> normal;
  const auto normally = [&](long count, double size) {
    C* data = heap.room<C>(count);
    for (long k = 0; k < count; ++k) data[k] = C(size * normal(draw));
    return data;
  };
  C *u = normally(units, 1), *b = normally(H, 1), *W = normally(H * H, 1 / std::sqrt(double(H))), *start = normally(B * H, 1);
  C *d_h = normally(units, 1), *d_last = normally(B * H, 1);
  std::int64_t* lengths = draw() % 2 ? heap.room<std::int64_t>(B) : nullptr;
  for (long row = 0; lengths && row < B; ++row) lengths[row] = draw() % (T + 1);

  std::vector<Instruction> code;
  const auto add = [&](Operation operation, long to, long a = 0, long b = 0, long c = 0) {
    code.push_back({operation, to, a, b, c, 0, 0});
  };
  const auto run = [&](bool turned, const std::vector<ProgramArray>& arrays, const ProgramState& state, bool transposed, C* total) {
    const ProgramWeights weights{W, H, H, H, transposed};
    const ProgramTotal sum{total, H};
    kernels().programs->run[number](Program{T, B, turned != reverse, threads, lengths, code.data(), long(code.size()), 3,
                                            arrays.data(), long(arrays.size()), &state, 1, &weights, 1, &sum, total ? 1 : 0});
  };
  const ProgramArray own{nullptr, 0, 0, H, false};
  const auto stream = [&](C* data, bool written) { return ProgramArray{data, B * H, H, H, written}; };
  C *h = heap.room<C>(units), *last = heap.room<C>(B * H), *d_u = heap.room<C>(units), *d_start = heap.room<C>(B * H);
  C* d_b = heap.room<C>(H);
  {
    enum { input, bias, output, before, after, sums };
    add(Operation::product, sums, before, 0), add(Operation::section, 8, H);
    add(Operation::load, 0, input), add(Operation::load, 1, bias), add(Operation::load, 2, sums);
    add(Operation::add, 0, 0, 1), add(Operation::add, 0, 0, 2), add(Operation::tangent, 1, 0);
    add(Operation::store, output, 1), add(Operation::store, after, 1);
    run(false, {stream(u, false), {b, 0, 0, H, false}, stream(h, true), own, own, own}, {before, after, start, last}, false, nullptr);
  }
  {
    enum { of_output, given, of_input, before, after, of_sums };
    code.clear();
    add(Operation::section, 8, H);
    add(Operation::load, 0, of_output), add(Operation::load, 1, before), add(Operation::load, 2, given);
    add(Operation::add, 0, 0, 1), add(Operation::tangent_gradient, 1, 0, 2);
    add(Operation::store, of_input, 1), add(Operation::store, of_sums, 1), add(Operation::sum_rows, 0, 1);
    add(Operation::product, after, of_sums, 0);
    run(true, {stream(d_h, false), stream(h, false), stream(d_u, true), own, own, own}, {before, after, d_last, d_start}, true, d_b);
  }

  std::vector<double> h_(units), last_(B * H), d_u_(units), d_start_(B * H), d_b_(H), g(H);
  for (long row = 0; row < B; ++row) {
    const long steps = lengths ? lengths[row] : T;
    const auto at = [&](long step) { return ((reverse ? steps - 1 - step : step) * B + row) * H; };
    const auto before = [&](long step, long k) { return step ? h_[at(step - 1) + k] : double(start[row * H + k]); };
    for (long step = 0; step < steps; ++step)
      for (long n = 0; n < H; ++n) {
        double sum = double(u[at(step) + n]) + b[n];
        for (long k = 0; k < H; ++k) sum += W[n * H + k] * before(step, k);
        h_[at(step) + n] = std::tanh(sum);
      }
    for (long k = 0; k < H; ++k) last_[row * H + k] = before(steps, k), g[k] = d_last[row * H + k];
    for (long step = steps; step-- > 0;) {
      for (long n = 0; n < H; ++n) {
        const double value = h_[at(step) + n];
        d_b_[n] += d_u_[at(step) + n] = (d_h[at(step) + n] + g[n]) * (1 - value * value);
      }
      for (long k = 0; k < H; ++k) {
        g[k] = 0;
        for (long n = 0; n < H; ++n) g[k] += W[n * H + k] * d_u_[at(step) + n];
      }
    }
    for (long k = 0; k < H; ++k) d_start_[row * H + k] = g[k];
  }
  const double most = sizeof(C) == 8 ? 1e-12 : 1e-4;
  if (!close(h, h_, most) || !close(last, last_, most)) return "a program gives something else than its sums";
  if (!close(d_u, d_u_, most) || !close(d_start, d_start_, most) || !close(d_b, d_b_, most))
    return "a program of gradients gives something else than its sums";
  return "";
}

inline std::string gradients(std::mt19937& draw) {
  return draw() % 2 ? gradients_of<double>(int(Number::float64), draw) : gradients_of<float>(int(Number::float32), draw);
}

}  // namespace trials
