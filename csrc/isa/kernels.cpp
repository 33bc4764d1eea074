// The kernels of one instruction set. The build compiles this file once for each, with the set's name as UNROLLED_SET.
#include "sequence.h"

#define UNROLLED_JOIN_(a, b) a##b
#define UNROLLED_JOIN(a, b) UNROLLED_JOIN_(a, b)
#define UNROLLED_TEXT_(a) #a
#define UNROLLED_TEXT(a) UNROLLED_TEXT_(a)

namespace unrolled {
namespace {

template <class Cell>
constexpr CellKernels entry(const char* name) {
  return {name,
          Cell::GATES,
          Cell::STATES,
          Cell::SAVED,
          Cell::EXTRA,
          Cell::SAME_GRADIENT,
          {Sequence<Cell, float>::forward_pass, Sequence<Cell, double>::forward_pass,
           Sequence<Cell, bfloat16>::forward_pass},
          {Sequence<Cell, float>::backward_pass, Sequence<Cell, double>::backward_pass,
           Sequence<Cell, bfloat16>::backward_pass}};
}

// Constants of the program: nothing of a set that the machine may not have runs before it was chosen.
constexpr CellKernels CELLS[] = {
    entry<Elman<Squash::tangent>>("elman-tanh"),
    entry<Elman<Squash::rectifier>>("elman-relu"),
    entry<Elman<Squash::sigmoid>>("elman-sigmoid"),
    entry<LSTM>("lstm"),
    entry<GRU>("gru"),
};

constexpr Kernels TABLE = {UNROLLED_TEXT(UNROLLED_SET), CELLS, sizeof CELLS / sizeof CELLS[0]};

}  // namespace

const Kernels& UNROLLED_JOIN(UNROLLED_SET, _kernels)() { return TABLE; }

}  // namespace unrolled
