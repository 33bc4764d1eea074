// Programs as Python tells them: numbers and addresses.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "program.h"
#include "recurrence.h"

namespace nb = nanobind;
using namespace unrolled;

namespace {

typedef std::vector<std::int64_t> Numbers;

template <class T>
std::vector<T> copied(const nb::bytes& bytes) {
  std::vector<T> items(bytes.size() / sizeof(T));
  std::memcpy(static_cast<void*>(items.data()), bytes.c_str(), items.size() * sizeof(T));
  return items;
}

// A program as Python tells it. code: Instructions as they stand in memory. Of each of `arrays`: data, time, row, width,
// written; of `states`: before, after, start, last; of `weights`: data, N, K, stride, transposed; of `totals`: data, width.
struct Told {
  std::vector<Instruction> code;
  long registers;
  std::vector<ProgramArray> arrays;
  std::vector<ProgramState> states;
  std::vector<ProgramWeights> weights;
  std::vector<ProgramTotal> totals;

  Told(int number, const nb::bytes& code_, long registers_, const Numbers& arrays_, const Numbers& states_,
       const Numbers& weights_, const Numbers& totals_)
      : code(copied<Instruction>(code_)), registers(registers_) {
    if (number < 0 || number > int(Number::float64)) throw std::invalid_argument("programs are of float32 or float64");
    for (std::size_t k = 0; k + 5 <= arrays_.size(); k += 5) {
      const std::int64_t* one = arrays_.data() + k;
      arrays.push_back({reinterpret_cast<void*>(one[0]), long(one[1]), long(one[2]), long(one[3]), one[4] != 0});
    }
    for (std::size_t k = 0; k + 4 <= states_.size(); k += 4) {
      const std::int64_t* one = states_.data() + k;
      states.push_back({long(one[0]), long(one[1]), reinterpret_cast<const void*>(one[2]), reinterpret_cast<void*>(one[3])});
    }
    for (std::size_t k = 0; k + 5 <= weights_.size(); k += 5) {
      const std::int64_t* one = weights_.data() + k;
      weights.push_back({reinterpret_cast<const void*>(one[0]), long(one[1]), long(one[2]), long(one[3]), one[4] != 0});
    }
    for (std::size_t k = 0; k + 2 <= totals_.size(); k += 2)
      totals.push_back({reinterpret_cast<void*>(totals_[k]), long(totals_[k + 1])});
  }

  Program program(long T, long B, bool reverse, int threads, const std::int64_t* lengths) const {
    return {T, B, reverse, threads, lengths, code.data(), long(code.size()), registers,
            arrays.data(), long(arrays.size()), states.data(), long(states.size()),
            weights.data(), long(weights.size()), totals.data(), long(totals.size())};
  }
};

// A program with its weights packed. `coming`: the arrays whose addresses come with each run, (T, B, width) each.
class Packed {
  const int number;
  Told told;
  const Numbers coming;
  PackedProgram* const packed;
  std::mutex one_at_a_time;

 public:
  Packed(int number_, const nb::bytes& code, long registers, const Numbers& arrays, const Numbers& states,
         const Numbers& weights, const Numbers& coming_)
      : number(number_), told(number_, code, registers, arrays, states, weights, {}), coming(coming_),
        packed(kernels().programs->pack[number](told.program(0, 0, false, 1, nullptr))) {}
  Packed(const Packed&) = delete;
  ~Packed() { kernels().programs->release[number](packed); }

  // addresses: of the arrays that come, then of each leaf of the state before and after.
  void run(long T, long B, int threads, const Numbers& addresses) {
    if (addresses.size() != coming.size() + 2 * told.states.size())
      throw std::invalid_argument("an address for each array that comes, and two for each leaf of the state");
    const nb::gil_scoped_release release;
    const std::lock_guard<std::mutex> alone(one_at_a_time);
    const std::int64_t* next = addresses.data();
    for (const std::int64_t k : coming) {
      ProgramArray& one = told.arrays[k];
      one.data = reinterpret_cast<void*>(*next++);
      one.time = B * one.width, one.row = one.width;
    }
    for (ProgramState& one : told.states) {
      one.start = reinterpret_cast<const void*>(*next++);
      one.last = reinterpret_cast<void*>(*next++);
    }
    kernels().programs->run_packed[number](packed, told.program(T, B, false, threads, nullptr));
  }
};

}  // namespace
