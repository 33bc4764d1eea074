// A recurrence over a batch of sequences, as plain pointers: what the binding fills in and the kernels read.
//
// Letters: T time, B batch rows, H units, G gate blocks, L vectors kept for a unit, S the type that is stored (float,
// double, or bfloat16), C the type that is computed with (float, double; float for bfloat16).
// Arrays are contiguous, in C order. Where lengths are given, row b takes steps 0 … lengths[b] − 1; output and gradients
// past them are set to zero.
#pragma once

#include <cstdint>

namespace unrolled {

enum class Number : int { float32, float64, bfloat16, count };

inline long stored_bytes(int number) { return number == int(Number::float64) ? 8 : number == int(Number::bfloat16) ? 2 : 4; }
// Of a C.
inline long computed_bytes(int number) { return number == int(Number::float64) ? 8 : 4; }

constexpr int MOST_STATES = 4;
constexpr int MOST_EXTRA = 4;

struct Recurrence {
  long T, B, H;
  bool reverse;                        // from the last step to the first
  int threads;                         // at most
  const std::int64_t* lengths;         // (B), or null: all are T
  const void* u;                       // (T, B, G·H) S, what came in
  const void* W;                       // (G·H, H) C, recurrent weights
  const void* extra[MOST_EXTRA];       // (H) C each
  const void* mask;                    // (B, H) C, multipliers on h as it enters the product; null for none
  const void* start[MOST_STATES];      // (B, H) C, the state before the first step
  void* output;                        // (T, B, H) S: h
  void* last[MOST_STATES];             // (B, H) C, the state after the last step
  void* saved;                         // (T, B, L·H) S, for the backward pass; null where there will be none
  void* every[MOST_STATES];            // (T, B, H) C, the other leaves of the state after each step; as saved
  // the backward pass reads all of the above, and these:
  const void* d_output;                // (T, B, H) S
  const void* d_last[MOST_STATES];     // (B, H) C
  void* d_u;                           // (T, B, G·H) S
  void* d_r;                           // (T, B, G·H) S, where it is not d_u
  void* d_extra[MOST_EXTRA];           // (H) C each
  void* d_start[MOST_STATES];          // (B, H) C
};

typedef void (*Run)(const Recurrence&);

// to (M, N) = A (M, K) · B (K, N) + bias (N), all C and K at least 1; rows of A and B as they stand in memory are their stride
// apart.
struct Product {
  long M, N, K;
  const void* A;
  long A_stride;
  bool A_transposed;  // A stands in memory as (K, M)
  const void* B;
  long B_stride;
  bool B_transposed;  // B stands in memory as (N, K)
  const void* bias;   // or null
  void* to;
  int threads;        // at most
};

typedef void (*Multiply)(const Product&);

// One cell: what its struct in isa/cells.h says of it, and its kernels by type of number.
struct CellKernels {
  const char* name;
  int gates, states, saved, extra;
  bool product;        // whether the state comes round through W; where not, W is empty
  bool same_gradient;
  Run forward[int(Number::count)];
  Run backward[int(Number::count)];
};

struct StreamKernels;   // stream.h
struct ScanKernels;     // scan.h
struct ProgramKernels;  // program.h

// The kernels of one instruction set. Every set has the same cells, in the same order.
struct Kernels {
  const char* name;
  const CellKernels* cells;
  int count;
  Multiply product[2];  // float32, float64
  double (*peak[int(Number::count)])(long rounds, int threads);  // flops of multiplications in registers alone
  const StreamKernels* streams;
  int stream_count;
  const ScanKernels* scan;
  const ProgramKernels* programs;
};

const Kernels& baseline_kernels();
#if defined(UNROLLED_X86)
const Kernels& avx2_kernels();
const Kernels& avx512_kernels();
const Kernels& avx512_bf16_kernels();
#endif

// The fastest set that this machine has, or the one that the environment variable UNROLLED_ISA names.
const Kernels& kernels();

}  // namespace unrolled
