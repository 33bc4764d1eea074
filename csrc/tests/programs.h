// Programs without Python: one that asks for every operation, on random shapes, strides and lengths, each array exactly as
// long as it must be; one thread against several, and weights packed for many calls against weights packed for one.
#pragma once

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "../program.h"
#include "streams.h"

namespace trials {

// h = what all operations make of u + W h (the matrix either way round), a weight by unit, the mean of a row, and sums over
// an axis of u + 1 that all of its numbers stand along. Or without what units need of each other, so that threads share them.
template <class C>
std::string program_of(int number, std::mt19937& draw) {
  Heap heap;
  const bool apart = draw() % 6 == 0;
  const long T = 1 + draw() % (apart ? 60 : 5), B = draw() % (apart ? 3 : 20), H = 1 + draw() % (draw() % 8 && !apart ? 60 : 1300);
  enum { input, weight, output, before, after, sums, mean, along };  // arrays
  const long times = 1 + draw() % 20, length = draw() % 2 ? 1 : H;
  const long gap = draw() % 3, row = draw() % 4 ? H + gap : 0, time = draw() % 4 ? B * (H + gap) + gap : 0;
  const bool transposed = draw() % 2;
  std::vector<Instruction> code;
  const auto add = [&](Operation operation, long to, long a = 0, long b = 0, long c = 0, double x = 0, double y = 0) {
    code.push_back({operation, to, a, b, c, x, y});
  };
  const auto section = [&](long width, auto body) {
    const std::size_t at = code.size();
    add(Operation::section, 0, width);
    body();
    code[at].to = long(code.size() - at) - 1;
  };
  if (!apart) add(Operation::product, sums, before, 0);
  if (!apart) section(H, [&] {
    add(Operation::load, 0, input), add(Operation::load, 1, sums), add(Operation::add, 0, 0, 1);
    add(Operation::sum_units, mean, 0);
  });
  if (!apart) section(1, [&] { add(Operation::load, 0, mean), add(Operation::affine, 0, 0, 0, 0, 1.0 / H), add(Operation::store, mean, 0); });
  if (!apart) section(H * times, [&] {
    add(Operation::expand, 0, input, 0, times, length), add(Operation::affine, 1, 0, 0, 0, 1, 1);
    add(Operation::sum_axis, along, 1, times, length);
  });
  section(H, [&] {
    add(Operation::load, 0, input), add(Operation::load, 1, apart ? before : sums), add(Operation::load, 2, weight), add(Operation::spread, 3, mean);
    add(Operation::load, 4, along), add(Operation::multiply, 1, 1, 4);
    add(Operation::add, 0, 0, 1), add(Operation::subtract, 0, 0, 3), add(Operation::multiply, 1, 0, 2);
    add(Operation::fill, 3, 0, 0, 0, 0.5);
    for (long k = 4; k < 7; ++k) add(Operation::affine, k, 0, 0, 0, 1);
    for (long one = long(Operation::add); one < long(Operation::count); ++one)
      add(Operation(one), 4 + one % 3, 4 + (one + 1) % 3, one % 2, 3);
    add(Operation::choose, 4, 0, 1, 3), add(Operation::divide, 5, 4, 3), add(Operation::tangent, 4, 5);
    add(Operation::store, output, 4), add(Operation::store, after, 4), add(Operation::sum_rows, 0, 1);
  });
  const C* u = heap.random<C>((T - 1) * time + std::max(B - 1, 0L) * row + H, draw);
  const C *w = heap.random<C>(H, draw), *W = heap.random<C>((H - 1) * (H + gap) + H, draw), *start = heap.random<C>(B * H, draw);
  std::int64_t* lengths = draw() % 2 ? heap.room<std::int64_t>(B) : nullptr;
  for (long b = 0; lengths && b < B; ++b) lengths[b] = draw() % (T + 1);
  const bool reverse = draw() % 2;
  const auto run = [&](long steps, long rows, int threads, C* given, C* last, auto call) {
    C* total = heap.room<C>(H);
    const ProgramArray arrays[] = {{const_cast<C*>(u), time, row, H, false}, {const_cast<C*>(w), 0, 0, H, false},
                                   {given, B * H, H, H, true}, {nullptr, 0, 0, H, false}, {nullptr, 0, 0, H, false},
                                   {nullptr, 0, 0, H, false}, {nullptr, 0, 0, 1, false}, {nullptr, 0, 0, H, false}};
    const ProgramState state{before, after, start, last};
    const ProgramWeights weights{W, H, H, H + gap, transposed};
    const ProgramTotal sum{total, H};
    call(Program{steps, rows, reverse, threads, lengths, code.data(), long(code.size()), 7, arrays, 8, &state, 1, &weights, 1, &sum, 1});
  };
  const ProgramKernels& programs = *kernels().programs;
  C *one = heap.room<C>(T * B * H), *other = heap.room<C>(T * B * H), *last = heap.room<C>(B * H), *end = heap.room<C>(B * H);
  run(T, B, 1, one, last, programs.run[number]), run(T, B, 2 + int(draw() % 2), other, end, programs.run[number]);
  std::string wrong = same(one, other, T * B * H * sizeof(C), "several threads run a program to something else");
  if (wrong.empty()) wrong = same(last, end, B * H * sizeof(C), "several threads leave another state");
  if (lengths || !wrong.empty()) return wrong;
  PackedProgram* packed = nullptr;
  run(T, B, 1, other, end, [&](const Program& p) { packed = programs.pack[number](p); });
  const auto again = [&](const Program& p) { programs.run_packed[number](packed, p); };
  run(1, B / 2, 1, other, end, again);
  other = heap.room<C>(T * B * H), end = heap.room<C>(B * H);  // in which nothing is right yet
  run(T, B, 1 + int(draw() % 3), other, end, again);
  programs.release[number](packed);
  wrong = same(one, other, T * B * H * sizeof(C), "a packed program gives something else");
  return wrong.empty() ? same(last, end, B * H * sizeof(C), "a packed program leaves another state") : wrong;
}

inline std::string program(std::mt19937& draw) {
  return draw() % 2 ? program_of<double>(int(Number::float64), draw) : program_of<float>(int(Number::float32), draw);
}

}  // namespace trials
