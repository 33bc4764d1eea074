// Whether threads can share the units of a program: none of them reads what another one of a row has made.
#pragma once

#include <vector>

#include "../program.h"

namespace {

using unrolled::Instruction;
using unrolled::Operation;
using unrolled::Program;
using unrolled::ProgramState;

// The width of all of its sections, where units are apart; else 0.
inline long width_of_units_apart(const Program& p) {
  constexpr long UNWRITTEN = -1, MANY = -2;
  std::vector<long> stored(p.array_count, UNWRITTEN);  // from which number of a row on
  long width = 0;
  for (const Instruction* one = p.code; one < p.code + p.instructions; ++one) switch (one->operation) {
      case Operation::product: case Operation::expand: case Operation::sum_units: case Operation::sum_axis: return 0;
      case Operation::section:
        if (width && one->a != width) return 0;
        width = one->a;
        break;
      case Operation::store: stored[one->to] = stored[one->to] == UNWRITTEN || stored[one->to] == one->b ? one->b : MANY; break;
      default: break;
    }
  for (const ProgramState* one = p.states; one < p.states + p.state_count; ++one) {
    if (stored[one->after] != 0 || p.arrays[one->after].width != width) return 0;
    stored[one->before] = 0;
  }
  for (const Instruction* one = p.code; one < p.code + p.instructions; ++one) {
    if (one->operation != Operation::load && one->operation != Operation::spread) continue;
    const long at = stored[one->a];
    if (at != UNWRITTEN && (at != one->b || one->operation == Operation::spread)) return 0;
  }
  return width;
}

// A second thread costs more than it brings for fewer numbers than these, over all of time.
inline bool worth_sharing_units(const Program& p) { return width_of_units_apart(p) * p.T * p.B >= 32768; }

}  // namespace
