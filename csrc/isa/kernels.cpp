// The kernels of one instruction set. The build compiles this file once for each, with the set's name as UNROLLED_SET.
#include "matrix.h"
#include "peak.h"
#include "program.h"
#include "scan.h"
#include "sequence.h"
#include "stream.h"

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
          Cell::PRODUCT,
          Cell::SAME_GRADIENT,
          {Sequence<Cell, float, true>::call, Sequence<Cell, double, true>::call, Sequence<Cell, bfloat16, true>::call},
          {Sequence<Cell, float, false>::call, Sequence<Cell, double, false>::call, Sequence<Cell, bfloat16, false>::call}};
}

// Constants of the program: nothing of a set that the machine may not have runs before it was chosen.
constexpr CellKernels CELLS[] = {
    entry<Elman<Squash::tangent>>("elman-tanh"),
    entry<Elman<Squash::rectifier>>("elman-relu"),
    entry<Elman<Squash::sigmoid>>("elman-sigmoid"),
    entry<LSTM>("lstm"),
    entry<GRU>("gru"),
    entry<PeepholeLSTM>("peephole-lstm"),
    entry<CoupledLSTM>("coupled-lstm"),
    entry<NoForgetLSTM>("no-forget-lstm"),
    entry<Leaky>("leaky"),
    entry<GatedLeaky>("gated-leaky"),
    entry<IndRNN>("indrnn"),
    entry<SLSTM>("slstm"),
};

template <class Cell>
constexpr StreamKernels stream_entry(const char* name) {
  return {name,
          Cell::GATES,
          Cell::STATES,
          Cell::EXTRA,
          {StreamPanels<Cell, Plain>::packed_bytes, StreamPanels<Cell, Halved>::packed_bytes,
           StreamPanels<Cell, Quartered>::packed_bytes},
          {StreamPanels<Cell, Plain>::pack, StreamPanels<Cell, Halved>::pack, StreamPanels<Cell, Quartered>::pack},
          {Streaming<Cell, Plain>::run, Streaming<Cell, Halved>::run, Streaming<Cell, Quartered>::run}};
}

constexpr StreamKernels STREAMS[] = {
    stream_entry<Elman<Squash::tangent>>("elman-tanh"),
    stream_entry<Elman<Squash::rectifier>>("elman-relu"),
    stream_entry<Elman<Squash::sigmoid>>("elman-sigmoid"),
    stream_entry<LSTM>("lstm"),
    stream_entry<GRU>("gru"),
};

constexpr ScanKernels SCAN = {
    {Scanning<float, false>::run<true>, Scanning<double, false>::run<true>, Scanning<float, true>::run<true>,
     Scanning<double, true>::run<true>},
    {Scanning<float, false>::run<false>, Scanning<double, false>::run<false>, Scanning<float, true>::run<false>,
     Scanning<double, true>::run<false>}};

constexpr ProgramKernels PROGRAMS = {{Programs<float>::call, Programs<double>::call},
                                     {Programs<float>::packed, Programs<double>::packed},
                                     {Programs<float>::call_packed, Programs<double>::call_packed},
                                     {Programs<float>::release, Programs<double>::release}};

constexpr Kernels TABLE = {UNROLLED_TEXT(UNROLLED_SET),
                           CELLS,
                           sizeof CELLS / sizeof CELLS[0],
                           {Matrix<float>::call, Matrix<double>::call},
                           {Peak<float>::run, Peak<double>::run, Peak<bfloat16>::run},
                           STREAMS,
                           sizeof STREAMS / sizeof STREAMS[0],
                           &SCAN,
                           &PROGRAMS};

}  // namespace

const Kernels& UNROLLED_JOIN(UNROLLED_SET, _kernels)() { return TABLE; }

}  // namespace unrolled
