// A step of any cell as a straight line of vector operations and products, and the arrays it reads and writes: what the
// binding fills in and the machine of isa/program.h runs through all of time.
//
// Letters as in recurrence.h; all numbers are of one type C. A step is taken for all rows together: a product at once,
// a section of operations tile by tile, a few rows by some units, whose registers the first cache holds.
#pragma once

#include <cstdint>

namespace unrolled {

// What stands in an Instruction. `to`, `a`, `b`, `c` are registers where nothing else is said; x and y are numbers.
enum class Operation : std::int64_t {
  section,   // the next `to` instructions, over `a` units
  product,   // array `to` = array `a` times weights `b`
  load,      // to = array `a` from number `b` of each row on
  spread,    // to = number `b` of each row of array `a`, in every unit
  expand,    // to = array `a` from number `b` of each row on, each run of x numbers `c` times over
  store,     // array `to`, from number `b` of each row on, = a
  sum_units, // array `to`, of one number a row, = a added up over all units of the section
  sum_axis,  // array `to` = a, in which every `b` runs of `c` numbers that follow each other are added up to one
  sum_rows,  // total `to` += a added up over rows (and over time)
  fill,      // to = x
  affine,    // to = x · a + y
  add,
  subtract,
  multiply,
  divide,
  maximum,   // NaN where one of them is
  greater,   // 1 where a > b, else 0
  equal,     // 1 where a = b, else 0
  choose,    // to = b where a is not 0, else c
  rectifier,
  sigmoid,
  tangent,
  exponential,
  logarithm,
  softplus,  // log(1 + e^a)
  root,
  absolute,
  sign,
  sine,
  cosine,
  sigmoid_gradient,  // to = a · b · (1 − b)
  tangent_gradient,  // to = a · (1 − b²)
  count
};

struct Instruction {
  Operation operation;
  std::int64_t to, a, b, c;
  double x, y;
};

// Numbers of each row at each time, side by side. Without data, each thread has room of its own for its rows.
struct ProgramArray {
  void* data;
  long time, row;  // from one time to the next, and from one row to the next, so many numbers; 0: they are the same
  long width;      // numbers of a row
  bool written;    // the program stores it; zeros where a row takes no step
};

// A leaf of the state: read from one array without data, and stored in another.
struct ProgramState {
  long before, after;
  const void* start;  // (B, width)
  void* last;         // (B, width)
};

// The array of K numbers a row, times this, is one of N.
struct ProgramWeights {
  const void* data;  // (N, K), or (K, N) where transposed
  long N, K, stride;
  bool transposed;
};

struct ProgramTotal {
  void* data;  // (width)
  long width;
};

struct Program {
  long T, B;
  bool reverse;                 // from the last step to the first
  int threads;                  // at most
  const std::int64_t* lengths;  // (B), or null: all are T
  const Instruction* code;
  long instructions, registers;
  const ProgramArray* arrays;
  long array_count;
  const ProgramState* states;
  long state_count;
  const ProgramWeights* weights;
  long weight_count;
  const ProgramTotal* totals;
  long total_count;
};

// A program whose weights stay packed, and whose threads keep their room, from call to call: what closed loops run. One
// call at a time.
struct PackedProgram;

// float32, float64.
struct ProgramKernels {
  void (*run[2])(const Program&);
  PackedProgram* (*pack[2])(const Program&);              // one without totals; where its streams are does not matter yet
  void (*run_packed[2])(PackedProgram*, const Program&);  // the same one, without lengths, on any T and B
  void (*release[2])(PackedProgram*);
};

}  // namespace unrolled
